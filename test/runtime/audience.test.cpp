#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/audience.hpp>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/worker.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

// A receiver of the program's own: a bounded queue.
struct mailbox {
  weft::queue<weft::shared_bytes> events{3};

  weft::status send(weft::shared_bytes event) { return events.try_push(std::move(event)); }
};
static_assert(weft::event_receiver<mailbox>);
static_assert(weft::event_receiver<weft::link>);

struct person {
  std::unique_ptr<weft::link> room_side;
  std::unique_ptr<weft::link> own_side;
  weft::membership seat;
  std::vector<std::string> got;
};

weft::task<> listen(person* p) {
  while (auto event = co_await p->own_side->receive()) p->got.push_back(std::move(*event));
}

std::vector<std::string> numbered(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
  return all;
}

weft::task<> moment() { std::ignore = co_await weft::sleep_for(1ms); }

}  // namespace

TEST_SUITE("audience") {
  TEST_CASE("an event is encoded once, and everybody who has joined shares its bytes") {
    weft::audience room;
    mailbox a, b;
    auto seat_a = room.join(a), seat_b = room.join(b);
    CHECK(room.send("hello") == 2);
    CHECK(room.size() == 2);
    const auto first = a.events.try_pop(), second = b.events.try_pop();
    CHECK(**first == "hello");
    CHECK(first->get() == second->get());
    CHECK(first->use_count() == 2);
  }

  TEST_CASE("who leaves gets nothing any more, whichever place it had, and who sends may leave itself out") {
    weft::audience room;
    mailbox a, b, c;
    std::optional<weft::membership> seat_a{room.join(a)};
    auto seat_b = room.join(b), seat_c = room.join(c);
    seat_a.reset();
    CHECK(room.send("1") == 2);
    CHECK(room.send("2", &seat_c) == 1);
    auto moved = std::move(seat_b);
    CHECK(room.send("3") == 2);
    moved.leave();
    moved.leave();
    CHECK(room.send("4") == 1);
    CHECK(room.size() == 1);
    CHECK(a.events.size() == 0);
    CHECK(b.events.size() == 3);
    CHECK(c.events.size() == 3);
  }

  TEST_CASE("what a receiver says no to is counted, for it and in all") {
    weft::audience room;
    mailbox slow, quick;
    auto slow_seat = room.join(slow), quick_seat = room.join(quick);
    for (int i = 0; i < 5; ++i) {
      room.send(std::to_string(i));
      std::ignore = quick.events.try_pop();
    }
    CHECK(slow_seat.missed() == 2);
    CHECK(quick_seat.missed() == 0);
    CHECK(room.counters().events == 5);
    CHECK(room.counters().taken == 8);
    CHECK(room.counters().missed == 2);
  }

  TEST_CASE("a room may close before its people have left") {
    mailbox a;
    std::optional<weft::audience> room{std::in_place};
    auto seat = room->join(a);
    room.reset();
    seat.leave();
    CHECK(a.events.size() == 0);
  }

  TEST_CASE("a receiver that throws leaves an audience that still works") {
    struct thrower {
      weft::status send(weft::shared_bytes) { throw std::runtime_error{"bug"}; }
    };
    weft::audience room;
    thrower bad;
    mailbox good;
    {
      auto bad_seat = room.join(bad);
      CHECK_THROWS_AS(room.send("1"), std::runtime_error);
    }
    auto seat = room.join(good);
    CHECK(room.send("2") == 1);
  }

  TEST_CASE("of a thousand people one has stopped reading: all others get every event in order, and nobody waits") {
    static constexpr int people = 1'000, events = 200, burst = 10, bound = 16;
    test::virtual_time t;
    weft::audience room;
    std::vector<person> all(people);
    std::vector<std::weak_ptr<const std::string>> sent;
    for (auto& p : all) {
      std::tie(p.room_side, p.own_side) = weft::memory_links(
          t.rt.control(), t.rt.control(), {.outbound_messages = bound, .slow = weft::slow_policy::drop_oldest},
          {.inbound_messages = 4});
    }
    t.run(weft::with_scope(
        [](weft::audience* room, std::vector<person>* all, std::vector<std::weak_ptr<const std::string>>* sent,
           weft::worker* here, weft::scope& s) -> weft::task<> {
          for (auto& p : *all) {
            p.seat = room->join(*p.room_side);
            if (&p != &all->front()) std::ignore = s.start(listen(&p));
          }
          for (int i = 0; i < events;) {
            const auto before = here->counters().entries;
            const auto since = here->read_clock();
            for (const int end = i + burst; i < end; ++i) {
              auto event = std::make_shared<const std::string>(std::to_string(i));
              sent->push_back(event);
              CHECK(room->send(std::move(event)) == people);
            }
            CHECK(here->counters().entries == before);  // nothing else ran: it did not wait
            CHECK(here->read_clock() == since);
            CHECK(all->front().room_side->queued() <= bound);
            co_await moment();
          }
          co_await moment();
          // What is kept for the one: its outbox, and what its transport has taken.
          CHECK(std::count_if(sent->begin(), sent->end(), [](const auto& e) { return !e.expired(); }) <=
                bound + static_cast<int>(weft::link::batch_messages));
          for (auto& p : *all) p.room_side->close();
        },
        &room, &all, &sent, &t.rt.worker_at(0)));
    const auto everything = numbered(0, events);
    CHECK(std::all_of(all.begin() + 1, all.end(), [&](const person& p) { return p.got == everything; }));
    CHECK(all.front().room_side->counters().dropped > 0);
    t.run([](std::vector<person>* all) -> weft::task<> {
      all->clear();
      co_return;
    }(&all));
    CHECK(room.size() == 0);
  }

  TEST_CASE("a link that is too slow loses the oldest, or the newest, or is cut off, as its policy says") {
    test::virtual_time t;
    weft::audience room;
    person oldest, newest, cut;
    const auto connect = [&](person& p, weft::slow_policy slow) {
      std::tie(p.room_side, p.own_side) =
          weft::memory_links(t.rt.control(), t.rt.control(), {.outbound_messages = 4, .slow = slow});
      p.seat = room.join(*p.room_side);
    };
    connect(oldest, weft::slow_policy::drop_oldest);
    connect(newest, weft::slow_policy::refuse);
    connect(cut, weft::slow_policy::disconnect);
    t.run(weft::with_scope(
        [](weft::audience* room, person* oldest, person* newest, person* cut, weft::scope& s) -> weft::task<> {
          for (int i = 0; i < 10; ++i) room->send(std::to_string(i));
          CHECK(oldest->seat.missed() == 0);
          CHECK(oldest->room_side->counters().dropped == 6);
          CHECK(newest->seat.missed() == 6);
          CHECK(cut->seat.missed() == 6);
          CHECK_FALSE(cut->room_side->open());
          CHECK(newest->room_side->open());
          for (auto* p : {oldest, newest, cut}) {
            std::ignore = s.start(listen(p));
            p->room_side->close();
          }
          co_return;
        },
        &room, &oldest, &newest, &cut));
    CHECK(oldest.got == numbered(6, 10));
    CHECK(newest.got == numbered(0, 4));
    CHECK(cut.got.empty());
    CHECK(cut.own_side->end().code() == weft::code::unavailable);
    t.run([](person* oldest, person* newest, person* cut) -> weft::task<> {
      for (auto* p : {oldest, newest, cut}) *p = {};
      co_return;
    }(&oldest, &newest, &cut));
  }
}
