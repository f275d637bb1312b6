#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/select.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/ticket.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<int> value_after(weft::duration d, int v) {
  std::ignore = co_await weft::sleep_for(d);
  co_return v;
}

// What one seeded interleaving did.
struct tally {
  long long pushed = 0;
  long long received = 0;
  std::array<int, 2> timeouts{};
};

weft::task<> produce(weft::queue<int>* q, std::uint32_t seed, tally* sum, int* producing) {
  std::minstd_rand random{seed};
  for (int i = 0; i < 6; ++i) {
    const int value = static_cast<int>(random() % 1'000) + 1;
    if (random() % 2 == 0) {
      if (q->try_push(value).ok()) sum->pushed += value;
    } else {
      auto pushed = co_await q->push(value);
      if (pushed.ok()) sum->pushed += value;
    }
    const auto pause = random() % 4;
    if (pause == 0) std::ignore = co_await weft::sleep_for(std::chrono::milliseconds{random() % 3});
    if (pause == 1) co_await weft::yield{};
  }
  if (--*producing == 0) q->close();
}

// Receives from both until both are closed; loses now to a timer, now to an event, now to a task.
weft::task<> consume(weft::queue<int>* a, weft::queue<int>* b, weft::event* e, std::uint32_t seed, tally* sum,
                     int* timeouts) {
  std::minstd_rand random{seed};
  bool a_open = true, b_open = true;
  while (a_open || b_open) {
    const auto patience = std::chrono::milliseconds{1 + random() % 3};
    auto got = co_await weft::select(a_open ? *a : *b, b_open ? *b : *a, weft::sleep_for(patience), *e,
                                     value_after(std::chrono::milliseconds{1 + random() % 2}, 7));
    if (!got.ok()) co_return;
    if (random() % 3 == 0) co_await weft::yield{};
    std::optional<int> value;
    switch (got->index()) {
      case 0:
        value = std::get<0>(*got);
        if (!value) (a_open ? a_open : b_open) = false;
        break;
      case 1:
        value = std::get<1>(*got);
        if (!value) (b_open ? b_open : a_open) = false;
        break;
      case 3: e->reset(); continue;
      default: ++*timeouts; continue;
    }
    if (value) sum->received += *value;
  }
}

weft::task<> interleave(std::uint32_t seed, tally* sum) {
  weft::queue<int> a{2}, b{3};
  weft::event e;
  int into_a = 2, into_b = 1;
  co_await weft::with_scope(
      [](weft::queue<int>* a, weft::queue<int>* b, weft::event* e, int* into_a, int* into_b, std::uint32_t seed,
         tally* sum, weft::scope& s) -> weft::task<> {
        std::ignore = s.start(consume(a, b, e, seed + 1, sum, &sum->timeouts[0]));
        std::ignore = s.start(produce(a, seed + 2, sum, into_a));
        std::ignore = s.start(produce(b, seed + 3, sum, into_b));
        std::ignore = s.start(consume(a, b, e, seed + 4, sum, &sum->timeouts[1]));
        std::ignore = s.start(produce(a, seed + 5, sum, into_a));
        co_await weft::yield{};
        e->set();
      },
      &a, &b, &e, &into_a, &into_b, seed, sum);
  CHECK(a.size() + b.size() == 0);
}

}  // namespace

TEST_SUITE("select") {
  TEST_CASE("10,000 interleavings of producers and two selecting consumers lose no value and receive none twice") {
    test::virtual_time t;
    int lost_to_others = 0;
    for (std::uint32_t seed = 1; seed <= 10'000; ++seed) {
      tally sum;
      t.run(interleave(seed * 7, &sum));
      REQUIRE_MESSAGE(sum.pushed == sum.received, "seed " << seed);
      lost_to_others += sum.timeouts[0] + sum.timeouts[1];
    }
    CHECK(lost_to_others > 10'000);
  }

  TEST_CASE("consumers that are stopped at any time take no value with them") {
    test::virtual_time t;
    std::mt19937 random{3};
    for (int round = 0; round < 2'000; ++round) {
      long long received = t.run(weft::with_scope(
          [](std::mt19937* random, weft::scope& s) -> weft::task<long long> {
            weft::queue<int> q{8};
            long long received = 0;
            auto consumer = [](weft::queue<int>* q, long long* received) -> weft::task<> {
              while (true) {
                auto got = co_await weft::select(*q, weft::sleep_for(1ms));
                if (!got.ok()) co_return;
                if (got->index() == 0) *received += *std::get<0>(*got);
              }
            };
            auto first = s.start(consumer(&q, &received)), second = s.start(consumer(&q, &received));
            for (int i = 1; i <= 20; ++i) {
              CHECK((co_await q.push(i)).ok());
              if ((*random)() % 3 == 0) co_await weft::yield{};
              if ((*random)() % 16 == 0) first.stop();
              if ((*random)() % 16 == 0) std::ignore = co_await weft::sleep_for(1ms);
            }
            first.stop();
            second.stop();
            co_await std::move(first);
            co_await std::move(second);
            while (auto left = q.try_pop()) received += *left;
            co_return received;
          },
          &random));
      REQUIRE(received == 210);
    }
  }

  TEST_CASE("a queue that loses has kept its value for the next receiver") {
    test::virtual_time t;
    t.run([]() -> weft::task<> {
      weft::queue<int> q{1};
      weft::event e;
      e.set();
      CHECK(q.try_push(5).ok());
      int by_event = 0;
      while (q.size() == 1) {
        auto got = co_await weft::select(e, q);
        if (got->index() == 0) {
          ++by_event;
          CHECK(q.size() == 1);
        } else {
          CHECK(std::get<1>(*got) == 5);
        }
      }
      CHECK(by_event < 64);
    }());
  }

  TEST_CASE("a value that comes while another case winds up stays in the queue") {
    test::virtual_time t;
    t.run(weft::with_scope([](weft::scope& s) -> weft::task<> {
      weft::queue<int> q{1};
      weft::event e;
      auto selecting = s.start(weft::select(
          q, e, weft::as_task(weft::shield(weft::sleep_for(20ms), 1h))));  // the child is stopped, and takes its time
      co_await weft::yield{};
      e.set();
      CHECK(q.try_push(5).ok());
      auto got = co_await std::move(selecting);
      CHECK(got->index() == 1);
      CHECK(q.try_pop() == 5);
    }));
  }

  TEST_CASE("of cases that are always ready each is chosen, about equally often") {
    test::virtual_time t;
    const auto chosen = t.run([]() -> weft::task<std::array<int, 4>> {
      weft::queue<int> a{1}, b{1};
      weft::event e;
      e.set();
      std::array<int, 4> chosen{};
      std::array<int, 2> other{};
      for (int i = 0; i < 8'000; ++i) {
        std::ignore = a.try_push(1);
        std::ignore = b.try_push(1);
        auto got = co_await weft::select(a, b, e, weft::sleep_until(weft::time_point{}));
        ++chosen[got->index()];
        auto nested = co_await weft::select(e, a);  // takes part in the same sequence
        ++other[nested->index()];
        while (a.size() + b.size() != 0) {
          std::ignore = a.try_pop();
          std::ignore = b.try_pop();
        }
      }
      CHECK(other[0] > 3'000);
      CHECK(other[1] > 2'000);
      co_return chosen;
    }());
    for (const int n : chosen) {
      CHECK(n > 1'800);
      CHECK(n < 2'200);
    }
  }

  TEST_CASE("the same run chooses the same") {
    const auto choices = [] {
      test::virtual_time t;
      return t.run([]() -> weft::task<std::string> {
        weft::event a, b, c;
        a.set(), b.set(), c.set();
        std::string choices;
        for (int i = 0; i < 50; ++i) {
          auto got = co_await weft::select(a, b, c);
          choices += static_cast<char>('a' + got->index());
        }
        co_return choices;
      }());
    };
    CHECK(choices() == choices());
  }

  TEST_CASE("a ready case does not suspend, and begins no other awaitable") {
    test::virtual_time t;
    weft::service s{t.rt};
    t.run(weft::with_scope(
        [](weft::service* to, weft::scope& s) -> weft::task<> {
          weft::queue<int> q{1};
          CHECK(q.try_push(1).ok());
          bool begun = false;
          auto other = [](bool* begun) -> weft::task<> {
            *begun = true;
            co_return;
          };
          auto queued = s.start(other(&begun));
          auto got = co_await weft::select(other(&begun), q, to->call([&begun] { begun = true; }));
          CHECK(std::get<1>(*got) == 1);
          CHECK_FALSE(begun);
          co_await std::move(queued);
        },
        &s));
  }

  TEST_CASE("a timer wins when nothing else comes in time, and is late by no more than its tick") {
    test::virtual_time t;
    t.run([](weft::manual_clock* clock) -> weft::task<> {
      weft::queue<int> q{1};
      const auto begin = clock->now();
      auto got = co_await weft::select(q, weft::sleep_for(10ms), weft::sleep_until(begin + 1h),
                                       weft::sleep_until(weft::never));
      CHECK(got->index() == 1);
      CHECK(clock->now() - begin >= 10ms);
      CHECK(clock->now() - begin <= 12ms);
      auto over = co_await weft::select(q, weft::sleep_until(begin));
      CHECK(over->index() == 1);
    }(&t.clock));
  }

  TEST_CASE("a closed queue is ready: first with what is left, then empty") {
    test::virtual_time t;
    t.run(weft::with_scope([](weft::scope& s) -> weft::task<> {
      weft::queue<int> q{2};
      weft::event e;
      auto waits = s.start(weft::select(e, q));
      co_await weft::yield{};
      q.close();
      auto closed = co_await std::move(waits);
      REQUIRE(closed->index() == 1);
      CHECK_FALSE(std::get<1>(*closed).has_value());

      weft::queue<int> left{2};
      CHECK(left.try_push(3).ok());
      left.close();
      auto first = co_await weft::select(e, left);
      CHECK(std::get<1>(*first) == 3);
      auto second = co_await weft::select(e, left);
      CHECK_FALSE(std::get<1>(*second).has_value());
    }));
  }

  TEST_CASE("a pusher that waits for room goes on when a select takes a value") {
    test::virtual_time t;
    t.run(weft::with_scope([](weft::scope& s) -> weft::task<> {
      weft::queue<int> q{1};
      CHECK(q.try_push(1).ok());
      auto pushing = s.start(q.push(2));
      co_await weft::yield{};
      auto first = co_await weft::select(q);
      CHECK(std::get<0>(*first) == 1);
      CHECK((co_await std::move(pushing)).ok());
      auto second = co_await weft::select(q, q);
      CHECK(std::visit([](auto v) { return *v; }, *second) == 2);
    }));
  }

  TEST_CASE("stop ends a select with CANCELLED at once, or with its stop case") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    t.run(weft::with_scope([](weft::scope& s) -> weft::task<> {
      weft::queue<int> q{1};
      weft::event e;
      auto plain = s.start(weft::select(q, e, weft::sleep_for(1h), value_after(1h, 1)));
      auto asked = s.start(weft::select(q, weft::when_stopped, e));
      co_await weft::yield{};
      co_await weft::yield{};
      plain.stop();
      asked.stop();
      auto cancelled = co_await std::move(plain);
      CHECK(cancelled.status() == weft::cancelled("stopped while selecting"));
      auto told = co_await std::move(asked);
      REQUIRE(told.ok());
      CHECK(told->index() == 1);

      s.stop();
      auto late = co_await weft::select(q, e);
      CHECK(late.code() == weft::code::cancelled);
      auto late_told = co_await weft::select(q, weft::when_stopped);
      CHECK(late_told->index() == 1);
      e.set();
      auto ready = co_await weft::select(q, e);  // stopped, but there it is
      CHECK(ready->index() == 1);
    }));
    CHECK(t.clock.now() == begin);
  }

  TEST_CASE("a started task that loses can be selected again, and its value is there") {
    test::virtual_time t;
    t.run(weft::with_scope([](weft::scope& s) -> weft::task<> {
      auto slow = s.start(value_after(25ms, 4));
      auto nothing = s.start([]() -> weft::task<> { std::ignore = co_await weft::sleep_for(15ms); });
      int rounds = 0;
      while (true) {
        ++rounds;
        auto got = co_await weft::select(weft::sleep_for(10ms), slow);
        if (got->index() == 0) continue;
        CHECK(std::get<1>(*got) == 4);
        break;
      }
      CHECK(rounds == 3);
      auto done = co_await weft::select(nothing);
      CHECK(done.ok());
    }));
  }

  TEST_CASE("a ticket that loses keeps its outcome") {
    test::virtual_time t;
    weft::service slow{t.rt};
    t.run([](weft::service* slow) -> weft::task<> {
      const auto ticket = slow->post([]() -> weft::task<int> { co_return co_await value_after(15ms, 6); });
      auto early = co_await weft::select(ticket, weft::sleep_for(5ms));
      CHECK(early->index() == 1);
      auto late = co_await weft::select(ticket, weft::sleep_for(1h));
      REQUIRE(late->index() == 0);
      CHECK(*std::get<0>(*late) == 6);
    }(&slow));
  }

  TEST_CASE("calls and tasks are cases; the losers are stopped and awaited before select ends") {
    test::virtual_time t;
    weft::service echo{t.rt};
    t.run([](weft::service* echo) -> weft::task<> {
      bool loser_ended = false;
      auto loser = [](bool* ended) -> weft::task<weft::status> {
        auto slept = co_await weft::sleep_for(1h);
        std::ignore = co_await weft::shield(weft::sleep_for(5ms), 1s);
        *ended = true;
        co_return slept;
      };
      auto got = co_await weft::select(loser(&loser_ended), echo->call([]() -> weft::reply<int> {
        std::ignore = co_await weft::sleep_for(3ms);
        co_return 8;
      }));
      REQUIRE(got->index() == 1);
      CHECK(*std::get<1>(*got) == 8);
      CHECK(loser_ended);
    }(&echo));
  }

  TEST_CASE("an exception of the task that wins is rethrown") {
    test::virtual_time t;
    weft::event e;
    auto throws = []() -> weft::task<> {
      throw std::runtime_error{"boom"};
      co_return;
    };
    CHECK_THROWS_WITH(std::ignore = t.run(weft::as_task(weft::select(e, throws()))), "boom");
  }

  TEST_CASE("a select can be timed, and its error ends the enclosing task with ok") {
    test::virtual_time t;
    weft::queue<int> q{1};
    CHECK(t.run(weft::with_timeout(5ms, weft::select(q))).code() == weft::code::deadline_exceeded);
    auto unwraps = [](weft::queue<int>* q) -> weft::task<weft::status> {
      auto got = co_await weft::ok(weft::select(*q));
      static_cast<void>(got);
      co_return weft::internal_error("not reached");
    };
    CHECK(t.run(weft::with_timeout(5ms, unwraps(&q))).code() == weft::code::deadline_exceeded);
  }
}
