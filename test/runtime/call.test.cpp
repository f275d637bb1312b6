#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <tuple>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> pause(weft::duration d) { std::ignore = co_await weft::sleep_for(d); }

}  // namespace

TEST_SUITE("call") {
  TEST_CASE("a call within no time ends with DEADLINE_EXCEEDED and never runs") {
    test::virtual_time t;
    weft::service s{t.rt};
    bool ran = false;
    auto c = s.call([&ran] { ran = true; }, weft::within{0ms});
    CHECK(t.run(weft::as_task(std::move(c))).code() == weft::code::deadline_exceeded);
    CHECK_FALSE(ran);
  }

  TEST_CASE("a call of a stopped task ends with CANCELLED and never runs") {
    test::virtual_time t;
    weft::service s{t.rt};
    bool ran = false;
    const auto code = t.run(weft::with_scope(
        [](weft::service* to, bool* ran, weft::scope& s) -> weft::task<weft::code> {
          s.stop();
          auto r = co_await to->call([ran] { *ran = true; });
          co_return r.code();
        },
        &s, &ran));
    t.rt.pump();
    CHECK(code == weft::code::cancelled);
    CHECK_FALSE(ran);
  }

  TEST_CASE("a call that was begun and dropped runs to its end") {
    test::virtual_time t;
    weft::service s{t.rt};
    bool ended = false;
    t.run([](weft::service* s, bool* ended) -> weft::task<> {
      auto& ctx = co_await weft::current();
      {
        auto dropped = s->call([ended]() -> weft::task<> {
          co_await pause(5ms);
          *ended = true;
        });
        dropped.begin(ctx);
      }
      co_await pause(10ms);
    }(&s, &ended));
    CHECK(ended);
  }

  TEST_CASE("a short limit counts from now, not from when the round began") {
    test::virtual_time t;
    weft::service s{t.rt};
    t.run([](test::virtual_time* t, weft::service* s) -> weft::task<> {
      t->clock.advance(3ms);  // what it computed took so long
      CHECK((co_await s->call([] {}, weft::within{2ms})).ok());
    }(&t, &s));
  }

  TEST_CASE("a call that was begun and is awaited by a task that was stopped since is given up at once") {
    test::virtual_time t;
    weft::service s{t.rt};
    const auto begin = t.clock.now();
    t.run(weft::with_scope(
        [](weft::service* s, weft::scope& scope) -> weft::task<> {
          auto& ctx = co_await weft::current();
          auto c = s->call([] { return pause(1h); }, weft::within{2h});
          c.begin(ctx);
          co_await weft::yield{};
          scope.stop();
          CHECK((co_await std::move(c)).status() == weft::cancelled("the calling task is stopped"));
        },
        &s));
    CHECK(t.clock.now() - begin < 10ms);
    t.run(s.stop());
  }

  TEST_CASE("a one-way call needs nobody who waits, and a refusal is returned") {
    test::virtual_time t;
    weft::service s{t.rt, {.name = "small", .reentrancy = weft::reentrancy::exclusive, .mailbox = 1}};
    int ran = 0;
    const auto refused = t.run([](weft::service* s, int* ran) -> weft::task<weft::status> {
      const auto count = [ran]() -> weft::task<> {
        co_await pause(5ms);
        ++*ran;
      };
      CHECK(s->send(count).ok());
      co_await pause(1ms);  // it runs
      CHECK(s->send(count).ok());
      co_return s->send(count);
    }(&s, &ran));
    CHECK(refused.code() == weft::code::resource_exhausted);
    t.run(pause(20ms));
    CHECK(ran == 2);
  }

  TEST_CASE("a call that is given up on while it waits in the mailbox is passed over") {
    test::virtual_time t;
    weft::service s{t.rt, {.reentrancy = weft::reentrancy::exclusive}};
    bool ran = false;
    t.run(weft::with_scope(
        [](weft::service* to, bool* ran, weft::scope& s) -> weft::task<> {
          auto first = s.start(to->call([] { return pause(20ms); }));
          co_await weft::yield{};
          auto second = s.start(to->call([ran] { *ran = true; }));
          co_await pause(1ms);
          second.stop();
          CHECK((co_await std::move(second)).code() == weft::code::cancelled);
          CHECK((co_await std::move(first)).ok());
          co_await pause(1ms);
        },
        &s, &ran));
    CHECK_FALSE(ran);
    CHECK(s.counters().abandoned == 1);
  }

  TEST_CASE("stops and replies that cross each other between workers leave nothing behind") {
    weft::runtime rt{{.workers = 2}};
    weft::service near{rt, {.name = "near", .worker = 0}}, far{rt, {.name = "far", .worker = 1}};
    weft::strand here{rt, {.worker = 0}}, there{rt, {.worker = 1}};
    std::atomic<int> ended{0};
    // Both ways, each handler calling back, each caller stopped after a while.
    const auto storm = [&](weft::strand& on, weft::service& to, weft::service& back) {
      REQUIRE(weft::spawn(
          on, "storm",
          [](weft::service* to, weft::service* back, std::atomic<int>* ended) -> weft::task<> {
            for (int i = 0; i < 100; ++i) {
              co_await weft::with_scope(
                  [](weft::service* to, weft::service* back, int i, weft::scope& s) -> weft::task<> {
                    for (int j = 0; j < 10; ++j) {
                      std::ignore = s.start(to->call(
                          [back, j]() -> weft::task<> {
                            std::ignore = co_await back->call(
                                [j]() -> weft::task<> {
                                  if (j % 3 == 0) co_await pause(1h);
                                },
                                weft::within{(j % 4) * 1ms});
                          },
                          weft::within{1s}));
                    }
                    for (int k = 0; k < i % 5; ++k) co_await weft::yield{};
                    if (i % 3 == 0) co_await pause(1ms);
                    s.stop();
                  },
                  to, back, i);
            }
            ended->fetch_add(1);
            ended->notify_one();
          },
          &to, &back, &ended));
    };
    storm(here, far, near);
    storm(there, near, far);
    for (int now = ended; now < 2; now = ended) ended.wait(now);
    near.stop_and_wait(weft::stop_mode::abort);
    far.stop_and_wait(weft::stop_mode::abort);
    CHECK(near.running() + near.waiting() + far.running() + far.waiting() == 0);
  }

  TEST_CASE("a runtime may stop while calls cross between its workers") {
    for (int round = 0; round < 20; ++round) {
      weft::runtime rt{{.workers = 2}};
      weft::service far{rt, {.name = "far", .worker = 1}};
      weft::strand here{rt};
      for (int i = 0; i < 20; ++i) {
        REQUIRE(weft::spawn(
            here, "caller",
            [](weft::service* far, int i) -> weft::task<> {
              auto& ctx = co_await weft::current();
              while (!ctx.stopped()) {
                std::ignore = co_await far->call([i] { return pause(i % 2 * 1ms); }, weft::within{i % 3 * 1ms});
                co_await weft::yield{};
              }
              std::ignore = far->send([i] { return pause(i * 1ms); });
            },
            &far, i));
      }
      weft::sync_wait(rt, pause(1ms));
      rt.stop();
    }
  }
}

TEST_SUITE("service stop") {
  TEST_CASE("abort ends although the next waiting call was about to be started") {
    test::virtual_time t;
    weft::service s{t.rt, {.reentrancy = weft::reentrancy::exclusive}};
    weft::event gate;
    t.run(weft::with_scope(
        [](weft::service* to, weft::event* gate, weft::scope& s) -> weft::task<> {
          auto running = s.start(to->call([gate]() -> weft::task<> { std::ignore = co_await gate->wait(); }));
          auto waiting = s.start(to->call([] {}));
          co_await pause(1ms);
          // In the queue of the service's strand: the end of the first handler, then the order to stop, then the next start.
          gate->set();
          co_await to->stop(weft::stop_mode::abort);
          CHECK((co_await std::move(running)).ok());
          CHECK((co_await std::move(waiting)).code() == weft::code::unavailable);
        },
        &s, &gate));
  }

  TEST_CASE("stop by a task that is stopped itself ends nevertheless when the last handler has ended") {
    for (const bool before : {true, false}) {
      test::virtual_time t;
      weft::service s{t.rt};
      const auto left = t.run(weft::with_scope(
          [](weft::service* to, bool before, weft::scope& s) -> weft::task<std::size_t> {
            auto shielded = s.start(weft::shield(to->call([] { return pause(20ms); }), 1h));
            co_await pause(1ms);
            if (before) s.stop();
            auto& ctx = co_await weft::current();
            if (!before) {
              std::ignore = s.start([](weft::context* body) -> weft::task<> {
                body->stop();
                co_return;
              }(&ctx));
            }
            co_await to->stop(weft::stop_mode::drain);
            co_return to->running();
          },
          &s, before));
      CHECK(left == 0);
    }
  }
}
