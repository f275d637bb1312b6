#include <doctest/doctest.h>

#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<int> value_though_stopped(weft::duration d, int v) {
  std::ignore = co_await weft::shield(weft::sleep_for(d), 1h);
  co_return v;
}

/// Tells when it goes.
struct witness {
  std::vector<std::string>* log;
  std::string what;
  ~witness() { log->push_back(what); }
};

}  // namespace

TEST_SUITE("stop") {
  TEST_CASE("a task that awaits a started one for a plain value waits for its end, stopped before or meanwhile") {
    for (const bool before : {true, false}) {
      test::virtual_time t;
      const auto begin = t.clock.now();
      const int v = t.run(weft::with_scope(
          [](bool before, weft::scope& s) -> weft::task<int> {
            auto slow = s.start(value_though_stopped(30ms, 4));
            auto nothing =
                s.start([]() -> weft::task<> { std::ignore = co_await weft::shield(weft::sleep_for(20ms), 1h); }());
            if (before) {
              s.stop();
            } else {
              std::ignore = s.start([](weft::scope* s) -> weft::task<> {
                s->stop();
                co_return;
              }(&s));
            }
            co_await std::move(nothing);
            co_return co_await std::move(slow);
          },
          before));
      CHECK(v == 4);
      CHECK(t.clock.now() - begin >= 30ms);
    }
  }

  TEST_CASE("a task that awaits a started one for a result is released with CANCELLED, stopped before or meanwhile") {
    for (const bool before : {true, false}) {
      test::virtual_time t;
      const auto code = t.run(weft::with_scope(
          [](bool before, weft::scope& s) -> weft::task<weft::code> {
            auto slow = s.start(weft::shield(weft::sleep_for(30ms), 1h));
            if (before) {
              s.stop();
            } else {
              std::ignore = s.start([](weft::scope* s) -> weft::task<> {
                s->stop();
                co_return;
              }(&s));
            }
            co_return (co_await std::move(slow)).code();
          },
          before));
      CHECK(code == weft::code::cancelled);
    }
  }

  TEST_CASE("stop releases all who wait in one list, and leaves it usable") {
    test::virtual_time t;
    weft::event e;
    weft::queue<int> q{1};
    const int released = t.run([](weft::event* e, weft::queue<int>* q) -> weft::task<int> {
      int released = 0;
      co_await weft::with_scope(
          [](weft::event* e, weft::queue<int>* q, int* released, weft::scope& s) -> weft::task<> {
            const auto wait = [](weft::event* e, weft::queue<int>* q, int* released) -> weft::task<> {
              auto s = co_await e->wait();
              if (!s.ok()) ++*released;
              auto v = co_await q->pop();
              if (!v) ++*released;
            };
            for (int i = 0; i < 50; ++i) std::ignore = s.start(wait(e, q, released));
            co_await weft::yield{};
            s.stop();
          },
          e, q, &released);
      e->set();
      auto later = co_await e->wait();
      CHECK(later.ok());
      CHECK(q->try_push(1).ok());
      auto v = co_await q->pop();
      CHECK(v == 1);
      co_return released;
    }(&e, &q));
    CHECK(released == 100);
  }

  TEST_CASE("a task may stop itself, its sibling and its own scope, and goes on until it waits") {
    test::virtual_time t;
    std::string log;
    t.run(weft::with_scope(
        [](std::string* log, weft::scope& s) -> weft::task<> {
          auto sibling = s.start([](std::string* log) -> weft::task<> {
            auto slept = co_await weft::sleep_for(1h);
            *log += slept.ok() ? "" : "sibling";
          }(log));
          co_await weft::yield{};
          sibling.stop();
          sibling.stop();
          auto& ctx = co_await weft::current();
          s.stop();
          ctx.stop();
          *log += "running ";
          auto slept = co_await weft::sleep_for(1h);
          *log += slept.ok() ? "" : "body ";  // did not suspend
        },
        &log));
    CHECK(log == "running body sibling");
  }

  TEST_CASE("stop of a task whose wait has just ended takes nothing away") {
    test::virtual_time t;
    weft::event e;
    const bool ok = t.run(weft::with_scope(
        [](weft::event* e, weft::scope& s) -> weft::task<bool> {
          auto waiter = s.start([](weft::event* e) -> weft::task<weft::status> { co_return co_await e->wait(); }(e));
          co_await weft::yield{};
          e->set();       // the waiter is queued
          waiter.stop();  // too late
          auto s1 = co_await std::move(waiter);
          co_return s1.ok();
        },
        &e));
    CHECK(ok);
  }

  TEST_CASE("what a shield protects may itself be stopped from within, and shields nest") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    const auto s = t.run(weft::with_scope([](weft::scope& s) -> weft::task<weft::status> {
      s.stop();
      co_return co_await weft::shield(weft::with_timeout(10ms, weft::shield(weft::sleep_for(30ms), 1h)), 1h);
    }));
    CHECK(s.ok());  // the inner shield outlasts the time-out, and no value is lost
    CHECK(t.clock.now() - begin >= 30ms);
  }

  TEST_CASE("a deadline is inherited by everything below, but not through a shield") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    const auto deadlines = t.run([]() -> weft::task<weft::result<std::vector<weft::time_point>>> {
      auto inner = []() -> weft::task<weft::result<std::vector<weft::time_point>>> {
        auto read = []() -> weft::task<weft::time_point> {
          auto& ctx = co_await weft::current();
          co_return ctx.deadline();
        };
        std::vector<weft::time_point> seen;
        auto below = co_await weft::with_scope(
            [](auto read, weft::scope&) -> weft::task<weft::time_point> { co_return co_await read(); }, read);
        seen.push_back(below);
        auto shielded = co_await weft::shield(read(), 1h);
        seen.push_back(shielded);
        co_return seen;
      };
      co_return co_await weft::with_timeout(20ms, inner());
    }());
    CHECK(deadlines.value().at(0) == begin + 20ms);
    CHECK(deadlines.value().at(1) == begin + 1h);
  }
}

TEST_SUITE("unwinding") {
  TEST_CASE("an error passed up by ok through nested tasks destroys their frames from the inside out") {
    test::virtual_time t;
    std::vector<std::string> log;
    const auto s = t.run([](std::vector<std::string>* log) -> weft::task<weft::status> {
      witness w{log, "outer"};
      auto middle = [](std::vector<std::string>* log) -> weft::task<weft::result<int>> {
        witness w{log, "middle"};
        auto inner = [](std::vector<std::string>* log) -> weft::task<weft::result<int>> {
          witness w{log, "inner"};
          std::ignore = co_await weft::sleep_for(1ms);
          co_await weft::ok(weft::aborted("no"));
          co_return 1;
        };
        co_return co_await weft::ok(inner(log));
      };
      std::ignore = co_await weft::ok(middle(log));
      co_return weft::status{};
    }(&log));
    CHECK(s == weft::aborted("no"));
    CHECK(log == std::vector<std::string>{"inner", "middle", "outer"});
  }

  TEST_CASE("ok may end the tasks of a scope, of when_all, of race and of a shield") {
    test::virtual_time t;
    auto failing = []() -> weft::task<weft::result<int>> {
      std::ignore = co_await weft::sleep_for(1ms);
      co_return co_await weft::ok(weft::result<int>{weft::aborted("no")});
    };
    t.run(weft::with_scope(
        [](auto failing, weft::scope& s) -> weft::task<> {
          auto started = s.start(failing());
          auto [a, b] = co_await weft::when_all(failing(), failing());
          auto won = co_await weft::race(failing(), weft::sleep_for(1h));
          auto shielded = co_await weft::shield(failing(), 1h);
          auto timed = co_await weft::with_timeout(1h, failing());
          auto own = co_await std::move(started);
          for (const auto& r : {a, b, std::get<0>(won), shielded, timed, own}) CHECK(r.code() == weft::code::aborted);
        },
        failing));
  }

  TEST_CASE("a guard that stops its scope on the way out reaches the others") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    struct stopper {
      weft::scope* s;
      ~stopper() { s->stop(); }
    };
    t.run(weft::with_scope([](weft::scope& s) -> weft::task<> {
      std::ignore = s.start([](weft::scope* s) -> weft::task<weft::status> {
        stopper on_exit{s};
        std::ignore = co_await weft::sleep_for(1ms);
        co_await weft::ok(weft::aborted("no"));
        co_return weft::status{};
      }(&s));
      std::ignore = co_await weft::sleep_for(1h);
    }));
    CHECK(t.clock.now() - begin < 5ms);
  }

  TEST_CASE("a ten thousand tasks deep error needs little stack") {
    test::virtual_time t;
    struct nest {
      static weft::task<weft::status> down(int depth) {
        if (depth == 0) {
          std::ignore = co_await weft::sleep_for(1ms);
          co_return weft::aborted("bottom");
        }
        co_await weft::ok(down(depth - 1));
        co_return weft::status{};
      }
    };
    CHECK(t.run(nest::down(10'000)) == weft::aborted("bottom"));
  }
}

TEST_SUITE("when_all") {
  TEST_CASE("when_all of nothing ends at once") {
    test::virtual_time t;
    CHECK(t.run(weft::when_all()) == std::tuple<>{});
  }
}
