#include <doctest/doctest.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/config.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/fiber.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/resume_on.hpp>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/ending.hpp"
#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<int> add_later(int n) {
  std::ignore = co_await weft::sleep_for(1ms);
  co_return n + 1;
}
weft::task<> fail_later() {
  std::ignore = co_await weft::sleep_for(1ms);
  throw std::runtime_error{"later"};
}

// Ordinary functions, of which the innermost waits.
int deep(int levels, int n) { return levels == 0 ? weft::await(add_later(n)) : deep(levels - 1, n); }

[[maybe_unused]] int overflow(int n) {
  volatile char some[1'000]{};
  some[n % 1'000] = static_cast<char>(n);
  return n < 0 ? 0 : overflow(n + 1) + some[0];
}

/// Starts `count` fibers that all wait at a time.
weft::task<> wait_together(int count, weft::event* go, int* through, weft::scope& s) {
  for (int i = 0; i < count; ++i) {
    std::ignore = s.start(weft::fiber(
        [](weft::event* go, int* through) {
          CHECK(weft::await(go->wait()).ok());
          ++*through;
        },
        go, through));
  }
  std::ignore = co_await weft::sleep_for(1ms);
  CHECK(*through == 0);
  go->set();
}

}  // namespace

TEST_SUITE("fiber") {
  TEST_CASE("an ordinary function waits for a task, at any depth, and goes on on its strand") {
    test::virtual_time t;
    weft::strand* before = nullptr;
    weft::strand* after = nullptr;
    auto f = [&](int n) {
      before = weft::worker::current_strand();
      const int got = deep(20, n);
      after = weft::worker::current_strand();
      return got;
    };
    CHECK(t.run(weft::fiber(f, 41)) == 42);
    CHECK(before == &t.rt.control());
    CHECK(after == before);
  }

  TEST_CASE("what is ready is awaited without a switch of strand, ten thousand times, on one stack") {
    test::virtual_time t;
    auto f = [](int times) {
      auto ready = [](int n) -> weft::task<int> { co_return n; };
      int sum = 0;
      for (int i = 0; i < times; ++i) sum += weft::await(ready(1));
      return sum;
    };
    CHECK(t.run(weft::fiber(f, 10'000)) == 10'000);
    CHECK(t.rt.worker_at(0).stacks().idle() == 1);
  }

  TEST_CASE("whatever a coroutine awaits can be awaited, and values that only move arrive") {
    test::virtual_time t;
    weft::queue<std::unique_ptr<int>> q{4};
    auto f = [&q] {
      auto& ctx = weft::await(weft::current());
      CHECK_FALSE(ctx.stopped());
      CHECK(weft::await(weft::sleep_for(1ms)).ok());
      auto got = weft::await(q.pop());
      return *std::move(got);
    };
    auto both = [&](weft::scope& s) -> weft::task<int> {
      auto later = s.start(weft::fiber(f));
      std::ignore = co_await weft::sleep_for(5ms);
      std::ignore = q.try_push(std::make_unique<int>(7));
      auto got = co_await std::move(later);
      co_return *got;
    };
    CHECK(t.run(weft::with_scope(both)) == 7);
  }

  TEST_CASE("an exception of a task comes out of await, and one of the function out of the fiber") {
    test::virtual_time t;
    auto f = [] {
      try {
        weft::await(fail_later());
      } catch (const std::runtime_error& e) {
        throw std::logic_error{std::string{"seen "} + e.what()};
      }
    };
    CHECK_THROWS_WITH_AS(t.run(weft::fiber(f)), "seen later", std::logic_error);
  }

  TEST_CASE("an exception that is being handled stays the fiber's own while it waits") {
    test::virtual_time t;
    auto f = [](std::string text, weft::duration wait) -> std::string {
      try {
        try {
          throw std::runtime_error{text};
        } catch (...) {
          std::ignore = weft::await(weft::sleep_for(wait));
          CHECK(std::uncaught_exceptions() == 0);
          throw;  // that of this fiber, not that of the other
        }
      } catch (const std::runtime_error& e) {
        return e.what();
      }
    };
    auto both = [&f](weft::scope& s) -> weft::task<std::string> {
      auto one = s.start(weft::fiber(f, std::string{"one"}, weft::duration{1ms}));
      auto two = s.start(weft::fiber(f, std::string{"two"}, weft::duration{2ms}));
      auto first = co_await std::move(one);
      auto second = co_await std::move(two);
      co_return first + second;
    };
    CHECK(t.run(weft::with_scope(both)) == "onetwo");
  }

  TEST_CASE("a destructor may wait while an exception passes") {
    test::virtual_time t;
    auto f = [] {
      struct waits {
        ~waits() {
          CHECK(std::uncaught_exceptions() == 1);
          std::ignore = weft::await(weft::sleep_for(1ms));
          CHECK(std::uncaught_exceptions() == 1);
        }
      };
      const waits w;
      throw std::runtime_error{"passes"};
    };
    CHECK_THROWS_WITH(t.run(weft::fiber(f)), "passes");
    CHECK(std::uncaught_exceptions() == 0);
  }

  TEST_CASE("a stopped wait ends at once with CANCELLED, and the function goes on to its end") {
    test::virtual_time t;
    bool ended = false;
    auto f = [&ended] {
      auto first = weft::await(weft::sleep_for(1h));
      CHECK(first.code() == weft::code::cancelled);
      CHECK(weft::await(weft::current()).stopped());
      CHECK(weft::await(weft::sleep_for(1h)).code() == weft::code::cancelled);
      ended = true;
      return first;
    };
    const auto start = t.clock.now();
    CHECK(t.run(weft::with_timeout(10ms, weft::fiber(f))).code() == weft::code::deadline_exceeded);
    CHECK(ended);
    CHECK(t.clock.now() - start < 1s);
  }

  TEST_CASE("the function has the deadline of its task, and hands it on to what it calls") {
    test::virtual_time t;
    weft::service slow{t.rt};
    weft::time_point deadline;
    auto f = [&] {
      deadline = weft::await(weft::current()).deadline();
      return weft::await(slow.call([] { return weft::as_task(weft::sleep_for(1h)); }));
    };
    const auto start = t.clock.now();
    CHECK(t.run(weft::with_timeout(50ms, weft::fiber(f))).code() == weft::code::deadline_exceeded);
    CHECK(deadline == start + 50ms);
    CHECK(t.clock.now() - start < 100ms);
    slow.stop_and_wait();
  }

  TEST_CASE("a service's handler may be a fiber, and be one of many") {
    test::virtual_time t;
    weft::service adder{t.rt};
    auto all = [&adder](weft::scope& s) -> weft::task<int> {
      std::vector<decltype(s.start(weft::fiber(&deep, 0, 0)))> calls;
      for (int i = 0; i < 10; ++i) {
        calls.push_back(s.start(weft::fiber(
            [&adder](int i) {
              const auto got = weft::await(adder.call([i] { return weft::fiber(&deep, 3, i); }));
              return got.ok() ? *got : -1;
            },
            i)));
      }
      int sum = 0;
      for (auto& c : calls) {
        const int one = co_await std::move(c);
        sum += one;
      }
      co_return sum;
    };
    CHECK(t.run(weft::with_scope(all)) == 55);
    adder.stop_and_wait();
  }

  TEST_CASE("a fiber awaits a fiber") {
    test::virtual_time t;
    auto outer = [] { return weft::await(weft::fiber(&deep, 2, 1)) + weft::await(weft::fiber(&deep, 2, 10)); };
    CHECK(t.run(weft::fiber(outer)) == 13);
  }

  TEST_CASE("stacks are used again, and those beyond the limit given back") {
    test::virtual_time t;
    constexpr int many = 3 * static_cast<int>(weft::fiber_stacks::most_idle);
    auto& stacks = t.rt.worker_at(0).stacks();
    for (int round = 0; round < 2; ++round) {
      weft::event go;
      int through = 0;
      t.run(weft::with_scope(&wait_together, many, &go, &through));
      CHECK(through == many);
      CHECK(stacks.idle() == weft::fiber_stacks::most_idle);
    }
  }

  TEST_CASE("fibers of a runtime with threads wait for each other's services") {
    weft::runtime rt{{.workers = 2}};
    weft::service other{rt, {.worker = 1}};
    auto ask = [&other] {
      int sum = 0;
      for (int i = 0; i < 50; ++i) {
        const auto got = weft::await(other.call([i] { return weft::fiber(&deep, 1, i); }));
        sum += got.ok() ? *got : -1'000;
      }
      return sum;
    };
    CHECK(weft::sync_wait(rt, weft::fiber(ask)) == 50 * 51 / 2);
    other.stop_and_wait();
  }

  TEST_CASE("the end of a runtime stops the fibers that wait, and what they hold is destroyed") {
    auto held = std::make_shared<int>(1);
    {
      weft::runtime rt{{.workers = 0}};
      auto f = [](const std::shared_ptr<int>& /*held*/) { CHECK_FALSE(weft::await(weft::sleep_for(1h)).ok()); };
      for (int i = 0; i < 10; ++i)
        REQUIRE(weft::spawn(rt.control(), "waits", [f](auto h) { return weft::fiber(f, h); }, held));
      rt.pump();
      CHECK(held.use_count() > 1);
    }
    CHECK(held.use_count() == 1);
  }

  TEST_CASE("await outside of a fiber says what to do instead") {
    test::check_misuse([] { std::ignore = weft::await(weft::sleep_for(1ms)); },
                       "weft::await outside of a fiber: co_await in a coroutine, or run the function by weft::fiber");
  }

  TEST_CASE("a fiber whose task changes its worker is told to run that part there") {
    test::check_misuse(
        [] {
          weft::runtime rt{{.workers = 2}};
          weft::strand there{rt, {.worker = 1}};
          weft::sync_wait(rt, weft::fiber([&there] { weft::await(weft::resume_on(there)); }));
        },
        "a fiber awaited resume_on another worker: await run_on, or call a service there");
  }

  TEST_CASE("a function awaits what runs on another worker, and stays in its own") {
    weft::runtime rt{{.workers = 2}};
    weft::strand there{rt, {.worker = 1}};
    auto f = [&] {
      auto where = []() -> weft::task<weft::worker*> {
        co_await weft::yield{};
        co_return weft::worker::current();
      };
      CHECK(weft::await(weft::run_on(there, where)) == &rt.worker_at(1));
      CHECK(weft::worker::current() == &rt.worker_at(0));
    };
    weft::sync_wait(rt, weft::fiber(f));
  }

#if !WEFT_ASAN && !WEFT_TSAN  // they take the signal
  TEST_CASE("a function that needs more stack than there is meets the guard page") {
    const auto e = test::end_of([] {
      std::signal(SIGSEGV, SIG_DFL);  // not doctest's
      test::virtual_time t;
      t.run(weft::fiber(&overflow, 0));
    });
    CHECK(e.signal == SIGSEGV);
  }
#endif
}
