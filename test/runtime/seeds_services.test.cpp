// Races of services: what happens at one moment happens in thousands of orders, and what is promised holds in each.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/keyed.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/doctest.hpp>
#include <weft/test/seeds.hpp>

#include "../support/dice.hpp"

using namespace std::chrono_literals;
using test::dice;
using test::either_mode;
using test::near;
using test::seeds;
using test::up_to;
using weft::test::for_seeds;
using weft::test::world;

namespace {

struct tally {
  int ended = 0;
  std::map<weft::code, int> outcomes;
  std::uint64_t handlers_begun = 0;
  std::uint64_t handlers_ended = 0;
};

weft::reply<int> handle(tally* t, weft::duration takes) {
  ++t->handlers_begun;
  auto slept = co_await weft::sleep_for(takes);
  ++t->handlers_ended;
  if (!slept.ok()) co_return slept;
  co_return 1;
}

weft::task<> call_it(weft::service* to, tally* t, weft::duration takes, weft::duration limit) {
  auto r = co_await to->call([t, takes] { return handle(t, takes); }, weft::within{limit});
  ++t->ended;
  ++t->outcomes[r.code()];
}

weft::task<> stop_it(weft::service* s, weft::duration after, weft::stop_mode mode) {
  std::ignore = co_await weft::sleep_for(after);
  co_await s->stop(mode);
}

}  // namespace

TEST_SUITE("seeds of calls") {
  TEST_CASE("a call ends once, by its reply, its deadline, its caller's stop or its service's, whichever is first") {
    for_seeds(seeds, [](world& w) {
      auto& d = w.random();
      const auto mode = d.one_in(2) ? weft::reentrancy::exclusive : weft::reentrancy::interleaved;
      weft::service s{
          w, {.name = "s", .reentrancy = mode, .mailbox = 4, .running = 1 + static_cast<std::uint32_t>(d.below(8))}};
      tally t;
      w.run(weft::with_scope(
          [](weft::service* s, tally* t, dice* d, weft::scope& scope) -> weft::task<> {
            for (int i = 0; i < 8; ++i) std::ignore = scope.start(call_it(s, t, near(*d, 10ms), near(*d, 10ms)));
            if (d->one_in(2)) std::ignore = scope.start(stop_it(s, near(*d, 10ms), either_mode(*d)));
            std::ignore = co_await weft::sleep_for(near(*d, 10ms));
            if (d->one_in(2)) scope.stop();
          },
          &s, &t, &d));
      w.run(s.stop());
      CHECK(t.ended == 8);
      CHECK(t.handlers_begun == t.handlers_ended);
      CHECK(t.handlers_begun == s.counters().started);
      CHECK(s.running() + s.waiting() == 0);
      for (const auto& [code, n] : t.outcomes) {
        CHECK((code == weft::code::ok || code == weft::code::deadline_exceeded || code == weft::code::cancelled ||
               code == weft::code::unavailable || code == weft::code::resource_exhausted));
      }
      CHECK(static_cast<std::uint64_t>(t.outcomes[weft::code::ok]) <= t.handlers_ended);
    });
  }
}

namespace {

struct ticket_waits {
  std::vector<int> ran;
  std::array<std::vector<weft::result<int>>, 6> told;
  int waiters = 0;
};

weft::reply<int> posted(ticket_waits* t, int number, weft::duration takes) {
  t->ran.push_back(number);
  auto slept = co_await weft::sleep_for(takes);
  if (!slept.ok()) co_return slept;
  co_return number;
}

weft::task<> await_ticket(ticket_waits* t, std::size_t number, weft::ticket<int> ticket) {
  t->told[number].push_back(co_await ticket);
}

weft::task<> await_number(ticket_waits* t, std::size_t number, weft::service* s, std::uint64_t serial) {
  t->told[number].push_back(co_await s->wait<int>(serial));
}

weft::task<> post_and_wait(weft::service* s, ticket_waits* t, dice* d, weft::scope& scope) {
  std::vector<weft::started<void>> waiters;
  for (std::size_t i = 0; i < t->told.size(); ++i) {
    const auto takes = up_to(*d, 3);
    const auto number = static_cast<int>(i);
    const auto ticket = s->post([t, number, takes] { return posted(t, number, takes); });
    for (int j = 0; j < 3; ++j) {
      ++t->waiters;
      waiters.push_back(d->one_in(2) ? scope.start(await_ticket(t, i, ticket))
                                     : scope.start(await_number(t, i, s, ticket.serial())));
      if (d->one_in(4)) co_await weft::yield{};
    }
    if (d->one_in(2)) std::ignore = co_await weft::sleep_for(up_to(*d, 2));
  }
  for (auto& one : waiters) {
    if (d->one_in(4)) one.stop();
  }
  std::ignore = co_await weft::sleep_for(up_to(*d, 4));
  co_await s->stop(either_mode(*d));
}

}  // namespace

TEST_SUITE("seeds of tickets") {
  TEST_CASE(
      "every waiter of a ticket is told once, and all of them the same, whenever they ask and the service stops") {
    for_seeds(seeds, [](world& w) {
      weft::service s{w, {.name = "s", .reentrancy = weft::reentrancy::exclusive}};
      ticket_waits t;
      w.run(weft::with_scope(&post_and_wait, &s, &t, &w.random()));
      int told = 0;
      for (std::size_t i = 0; i < t.told.size(); ++i) {
        const weft::result<int>* first = nullptr;
        for (const auto& outcome : t.told[i]) {
          ++told;
          if (outcome.code() == weft::code::cancelled) continue;  // the waiter was stopped, or what it waits for
          if (first == nullptr) first = &outcome;
          CHECK(outcome.status() == first->status());
          if (!outcome.ok()) continue;
          CHECK(*outcome == static_cast<int>(i));
          CHECK(std::count(t.ran.begin(), t.ran.end(), *outcome) == 1);
        }
      }
      CHECK(told == t.waiters);
      CHECK(std::is_sorted(t.ran.begin(), t.ran.end()));
    });
  }
}

namespace {

// Three exclusive services whose handlers call each other at random.
struct town {
  explicit town(world& w) : random{w.random()} {
    for (const char* name : {"a", "b", "c"}) {
      houses.push_back(std::make_unique<weft::service>(
          w, weft::service_options{.name = name, .reentrancy = weft::reentrancy::exclusive}));
    }
  }

  dice& random;
  std::vector<std::unique_ptr<weft::service>> houses;
  std::array<std::vector<int>, 3> inside;  // whose handlers are in progress
  int strangers = 0;
  std::map<weft::code, int> outcomes;
};

weft::reply<int> pass_through(town* t, int walker, std::size_t where, int further) {
  auto& inside = t->inside[where];
  if (!inside.empty() && inside.back() != walker) ++t->strangers;
  inside.push_back(walker);
  if (t->random.one_in(2)) std::ignore = co_await weft::sleep_for(up_to(t->random, 2));
  weft::result<int> r = 1;
  if (further > 0) {
    const auto next = t->random.below(3);
    r = co_await t->houses[next]->call([=] { return pass_through(t, walker, next, further - 1); });
  }
  if (t->random.one_in(2)) std::ignore = co_await weft::sleep_for(up_to(t->random, 2));
  if (inside.back() != walker) ++t->strangers;
  inside.pop_back();
  co_return r;
}

weft::task<> walk(town* t, int walker) {
  const auto first = t->random.below(3);
  auto r = co_await t->houses[first]->call([=] { return pass_through(t, walker, first, 3); });
  ++t->outcomes[r.code()];
}

weft::task<> all_walk(town* t, weft::scope& scope) {
  for (int i = 0; i < 8; ++i) std::ignore = scope.start(walk(t, i));
  co_return;
}

}  // namespace

TEST_SUITE("seeds of re-entrancy") {
  TEST_CASE("exclusive handlers meet only their own descendants, and every cycle of waits is found at once") {
    int cycles = 0;
    for_seeds(seeds, [&cycles](world& w) {
      town t{w};
      const auto begin = w.now();
      w.run(weft::with_scope(&all_walk, &t));
      CHECK(w.now() - begin < 1s);  // nobody waited for a deadline
      CHECK(t.strangers == 0);
      CHECK(t.outcomes[weft::code::ok] + t.outcomes[weft::code::aborted] == 8);
      cycles += t.outcomes[weft::code::aborted];
      for (auto& house : t.houses) w.run(house->stop());
    });
    CHECK(cycles > 0);
  }
}

namespace {

struct inn final : weft::service {
  explicit inn(weft::runtime& rt) : service{rt, {.name = "inn"}} {}

  weft::reply<weft::unit> enter(weft::duration stays, weft::duration hesitates) {
    std::ignore = co_await weft::sleep_for(hesitates);
    ++guests;
    start(&inn::stay, this, stays);
    co_return weft::unit{};
  }
  weft::task<> stay(weft::duration stays) {
    (co_await weft::sleep_for(stays)).ok() ? ++left : ++thrown_out;
    --guests;
  }
  bool played_out() const override { return guests == 0; }
  weft::task<> snapshot() override {
    ++snapshots;
    busy_at_snapshot += static_cast<int>(running());
    co_return;
  }

  int guests = 0;
  int left = 0;
  int thrown_out = 0;
  int snapshots = 0;
  int busy_at_snapshot = 0;
};

weft::task<> arrive(inn* at, int* accepted, int* other, weft::duration when, weft::duration stays,
                    weft::duration hesitates) {
  std::ignore = co_await weft::sleep_for(when);
  auto r = co_await at->call([=] { return at->enter(stays, hesitates); });
  if (r.ok()) ++*accepted;
  if (!r.ok() && r.code() != weft::code::unavailable && r.code() != weft::code::cancelled) ++*other;
}

}  // namespace

TEST_SUITE("seeds of retirement") {
  TEST_CASE("what a retiring service took plays out or is cut, the snapshot comes after it, and no call hangs") {
    int retired = 0;
    int logged = 0;  // own tasks that came too late to start
    const weft::test::world_options options{.log = [&logged](const weft::log_record&) { ++logged; }};
    const auto play = [&retired, &logged](world& w) {
      logged = 0;
      auto& d = w.random();
      inn at{w};
      int accepted = 0;
      int other = 0;
      bool played = false;
      w.run(weft::with_scope(
          [](inn* at, int* accepted, int* other, bool* played, dice* d, weft::scope& scope) -> weft::task<> {
            for (int i = 0; i < 6; ++i) {
              std::ignore = scope.start(
                  arrive(at, accepted, other, near(*d, 5ms), up_to(*d, 3), d->one_in(2) ? 0ms : up_to(*d, 2)));
            }
            std::ignore = co_await weft::sleep_for(near(*d, 5ms));
            *played = co_await at->retire(near(*d, 3ms));
          },
          &at, &accepted, &other, &played, &d));
      CHECK(other == 0);
      CHECK(at.snapshots == 1);
      CHECK(at.busy_at_snapshot == 0);
      CHECK(at.running() + at.waiting() == 0);
      if (played) {
        ++retired;
        CHECK(at.thrown_out == 0);
        CHECK(at.guests == 0);
        CHECK(at.left == accepted);
      } else {
        CHECK(at.left + at.thrown_out + at.guests >= accepted);
      }
      CHECK(logged == at.guests);  // who is left, the abort kept from starting
    };
    for_seeds(seeds, play, options);
    CHECK(retired > static_cast<int>(seeds / 10));
    CHECK(retired < static_cast<int>(seeds));
  }
}

namespace {

struct room final : weft::service {
  room(weft::runtime& rt, int* alive, int* saved) : service{rt, {.name = "room"}}, alive_{alive}, saved_{saved} {
    ++*alive_;
  }
  ~room() override { --*alive_; }
  weft::task<> snapshot() override {
    std::ignore = co_await weft::sleep_for(1ms);
    *saved_ += visits;
  }
  int visits = 0;

 private:
  int* alive_;
  int* saved_;
};

using room_map = weft::keyed<int, room>;

struct hotel {
  std::array<int, 2> alive{};
  int most = 0;
  int saved = 0;
  int visits = 0;
  int failed = 0;
};

weft::reply<std::unique_ptr<room>> make_room(world* w, hotel* h, int key) {
  co_return std::make_unique<room>(*w, &h->alive[static_cast<std::size_t>(key)], &h->saved);
}

weft::task<> visit_rooms(room_map* rooms, hotel* h, dice* d) {
  for (int i = 0; i < 5; ++i) {
    auto one = co_await rooms->activate(static_cast<int>(d->below(2)));
    if (!one.ok()) {
      ++h->failed;
      continue;
    }
    for (const int alive : h->alive) h->most = std::max(h->most, alive);
    auto* r = &**one;
    auto visited = co_await r->call([r] { ++r->visits; });
    visited.ok() ? ++h->visits : ++h->failed;
    *one = {};
    std::ignore = co_await weft::sleep_for(near(*d, 5ms));
  }
}

}  // namespace

TEST_SUITE("seeds of keys") {
  TEST_CASE("a key has one service at a time, and who activates while it is retired loses nothing") {
    std::uint64_t retired = 0;
    for_seeds(seeds, [&retired](world& w) {
      hotel h;
      {
        room_map rooms{w, [&w, &h](int key) { return make_room(&w, &h, key); }, {.name = "rooms", .idle_after = 4ms}};
        w.run(weft::with_scope(
            [](room_map* rooms, hotel* h, dice* d, weft::scope& scope) -> weft::task<> {
              for (int i = 0; i < 3; ++i) std::ignore = scope.start(visit_rooms(rooms, h, d));
              co_return;
            },
            &rooms, &h, &w.random()));
        w.run(rooms.stop());
        retired += rooms.counters().deactivated;
      }
      CHECK(h.most == 1);
      CHECK(h.failed == 0);
      CHECK(h.visits == 15);
      CHECK(h.saved == h.visits);
      CHECK(h.alive == std::array<int, 2>{});
    });
    CHECK(retired > seeds);
  }
}
