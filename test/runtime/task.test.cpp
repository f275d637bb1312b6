#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <tuple>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/task.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<int> seven() { co_return 7; }
weft::task<int> throws() {
  throw std::runtime_error{"boom"};
  co_return 0;
}
struct throws_when_destroyed {
  ~throws_when_destroyed() noexcept(false) { throw std::runtime_error{"on the way out"}; }
};
weft::task<std::string> returns_twice() {
  try {
    throws_when_destroyed last;
    co_return std::string(100, '1');
  } catch (const std::runtime_error&) {
    co_return std::string(100, '2');
  }
}
weft::task<std::string> returns_and_throws() {
  throws_when_destroyed last;
  co_return std::string(100, '1');
}

weft::task<weft::result<int>> fails() { co_return weft::not_found("no seven"); }
weft::task<weft::result<int>> succeeds() { co_return 7; }

struct guard {
  int& released;
  int order;
  ~guard() { released = order; }
};

}  // namespace

TEST_SUITE("task") {
  TEST_CASE("a task yields its value to whoever awaits it") {
    test::virtual_time t;
    CHECK(t.run(seven()) == 7);
  }

  TEST_CASE("an exception comes out of the co_await") {
    test::virtual_time t;
    CHECK_THROWS_WITH(t.run(throws()), "boom");
  }

  TEST_CASE("what is thrown after co_return, or returned again after that, replaces the value") {
    test::virtual_time t;
    CHECK(t.run(returns_twice()) == std::string(100, '2'));
    CHECK_THROWS_WITH(t.run(returns_and_throws()), "on the way out");
  }

  TEST_CASE("a million ready awaits need constant stack") {
    test::virtual_time t;
    const auto sum = t.run([]() -> weft::task<long> {
      long sum = 0;
      for (int i = 0; i < 1'000'000; ++i) sum += co_await seven();
      co_return sum;
    }());
    CHECK(sum == 7'000'000);
  }

  TEST_CASE("a task resumes on the strand that it was started on") {
    weft::runtime rt{{.workers = 2}};
    weft::strand here{rt, {.name = "here", .worker = 1}};
    std::atomic<bool> same{false};
    std::atomic<bool> done{false};
    auto check = [](weft::strand* here, std::atomic<bool>* same, std::atomic<bool>* done) -> weft::task<> {
      const auto* before = weft::worker::current_strand();
      std::ignore = co_await weft::sleep_for(1ms);
      *same = before == here && weft::worker::current_strand() == here;
      *done = true;
      done->notify_one();
    };
    weft::spawn(here, "test", check, &here, &same, &done);
    done.wait(false);
    CHECK(same);
    rt.stop();
  }

  TEST_CASE("frames of tasks that move between threads come back to their pool") {
    weft::runtime rt;
    for (int i = 0; i < 1000; ++i) CHECK(weft::sync_wait(rt, seven()) == 7);
  }
}

TEST_SUITE("ok") {
  TEST_CASE("ok yields the value of a result, a task, and a status") {
    test::virtual_time t;
    const auto sum = t.run([]() -> weft::task<weft::result<int>> {
      int sum = co_await weft::ok(weft::result<int>{1});
      sum += co_await weft::ok(succeeds());
      co_await weft::ok(weft::status{});
      co_return sum;
    }());
    CHECK(*sum == 8);
  }

  TEST_CASE("ok ends the enclosing task with the error of a value") {
    test::virtual_time t;
    bool after = false;
    const auto r = t.run([](bool& after) -> weft::task<weft::result<int>> {
      co_await weft::ok(weft::aborted("stop here"));
      after = true;
      co_return 1;
    }(after));
    CHECK(r.status() == weft::aborted("stop here"));
    CHECK_FALSE(after);
  }

  TEST_CASE("ok passes an error up through every task that unwraps it") {
    test::virtual_time t;
    const auto r = t.run([]() -> weft::task<weft::result<std::string>> {
      auto inner = []() -> weft::task<weft::result<long>> {
        std::ignore = co_await weft::sleep_for(1ms);
        co_return co_await weft::ok(fails());
      };
      const auto value = co_await weft::ok(inner());
      co_return std::to_string(value);
    }());
    CHECK(r.status() == weft::not_found("no seven"));
  }

  TEST_CASE("guards are released before the awaiting task resumes") {
    test::virtual_time t;
    int released = 0;
    const auto seen = t.run([](int& released) -> weft::task<int> {
      auto child = [](int& released) -> weft::task<weft::status> {
        guard g{released, 1};
        co_await weft::ok(fails());
        co_return weft::status{};
      };
      const auto s = co_await child(released);
      co_return s.ok() ? -1 : released;
    }(released));
    CHECK(seen == 1);
  }

  TEST_CASE("ok lets exceptions through") {
    test::virtual_time t;
    auto enclosing = []() -> weft::task<weft::result<int>> {
      auto child = []() -> weft::task<weft::result<int>> {
        throw std::runtime_error{"boom"};
        co_return 1;
      };
      co_return co_await weft::ok(child());
    };
    CHECK_THROWS_WITH(std::ignore = t.run(enclosing()), "boom");
  }
}
