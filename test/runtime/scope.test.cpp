#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> note(std::vector<std::string>& log, weft::duration d, std::string what) {
  const auto s = co_await weft::sleep_for(d);
  log.push_back(s.ok() ? what : what + " stopped");
}

weft::task<int> value_after(weft::duration d, int v) {
  std::ignore = co_await weft::sleep_for(d);
  co_return v;
}

// Longer than what a string keeps in itself.
const std::string text(100, 'x');

weft::task<bool> waits(std::string_view what) {
  co_await weft::yield{};
  co_return what == text;
}
weft::task<bool> by_value(std::string what) { co_return co_await waits(what); }
weft::task<bool> by_reference(const std::string& what) { co_return co_await waits(what); }
weft::task<bool> by_view(std::string_view what) { co_return co_await waits(what); }
weft::task<bool> by_copy_and_number(std::string what, long n) { co_return co_await waits(what) && n == 7; }

struct speaker {
  std::string own = text;
  weft::task<bool> by_value(std::string what) { co_return co_await waits(what) && what == own; }
  weft::task<bool> unchanged(const std::string& what) const { co_return co_await waits(what) && what == own; }
};

template <class F, class... Args>
constexpr bool has_no_frame_of_its_own = weft::detail::callee_keeps_all<F, Args...>::value;
constexpr auto lambda = [](std::string what) -> weft::task<bool> { co_return co_await waits(what); };
const auto function_that_remembers = [own = text](std::string what) -> weft::task<bool> {
  co_return co_await waits(what) && what == own;
};

static_assert(has_no_frame_of_its_own<decltype(&by_value), std::string>);
static_assert(has_no_frame_of_its_own<decltype(&by_copy_and_number), std::string, int>);
static_assert(has_no_frame_of_its_own<decltype(&by_reference), std::reference_wrapper<const std::string>>);
static_assert(has_no_frame_of_its_own<decltype(&speaker::by_value), speaker*, std::string>);
static_assert(has_no_frame_of_its_own<std::remove_const_t<decltype(lambda)>, std::string>);
static_assert(!has_no_frame_of_its_own<decltype(&by_reference), std::string>);
static_assert(!has_no_frame_of_its_own<decltype(&by_view), std::string>);
static_assert(!has_no_frame_of_its_own<decltype(&by_value), const char*>);
static_assert(!has_no_frame_of_its_own<decltype(&speaker::by_value), speaker, std::string>);
static_assert(!has_no_frame_of_its_own<std::remove_const_t<decltype(function_that_remembers)>, std::string>);

}  // namespace

TEST_SUITE("scope") {
  TEST_CASE("what a started coroutine is given lives as long as it does, however it takes it") {
    test::virtual_time t;
    const int right = t.run(weft::with_scope([](weft::scope& s) -> weft::task<int> {
      const speaker someone;
      speaker another;
      auto own = std::make_unique<speaker>();
      std::vector<weft::started<bool>> all;
      all.push_back(s.start(&by_value, text));
      all.push_back(s.start(&by_value, text.c_str()));
      all.push_back(s.start(&by_reference, text));
      all.push_back(s.start(&by_reference, std::cref(text)));
      all.push_back(s.start(&by_view, text));
      all.push_back(s.start(&by_copy_and_number, text, 7));
      all.push_back(s.start(&speaker::by_value, &another, text));
      all.push_back(s.start(&speaker::unchanged, &someone, text));
      all.push_back(s.start(&speaker::by_value, speaker{}, text));
      all.push_back(s.start(&speaker::by_value, std::move(own), text));
      all.push_back(s.start(lambda, text));
      all.push_back(s.start(function_that_remembers, text));
      int right = 0;
      for (auto& one : all) {
        const bool r = co_await std::move(one);
        right += r ? 1 : 0;
      }
      co_return right;
    }));
    CHECK(right == 12);
  }

  TEST_CASE("with_scope ends when everything in it has ended, and yields what its body returned") {
    test::virtual_time t;
    std::vector<std::string> log;
    const int r = t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<int> {
          std::ignore = s.start(note(*log, 20ms, "slow"));
          std::ignore = s.start(note(*log, 10ms, "fast"));
          log->push_back("body");
          co_return 5;
        },
        &log));
    CHECK(r == 5);
    CHECK(log == std::vector<std::string>{"body", "fast", "slow"});
  }

  TEST_CASE("a started task is awaited before or after it has ended, with the same value") {
    test::virtual_time t;
    const int r = t.run(weft::with_scope([](weft::scope& s) -> weft::task<int> {
      auto late = s.start(value_after(1ms, 1));
      auto early = s.start(value_after(1h, 2));
      std::ignore = co_await weft::sleep_for(10ms);
      const bool was_done = late.done();
      const int a = co_await std::move(late);
      const int b = co_await std::move(early);
      co_return was_done ? a + b : -1;
    }));
    CHECK(r == 3);
  }

  TEST_CASE("an exception in one task stops the others and comes out of with_scope") {
    test::virtual_time t;
    std::vector<std::string> log;
    auto opened = weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          std::ignore = s.start(note(*log, 1h, "long"));
          std::ignore = s.start([]() -> weft::task<> {
            throw std::runtime_error{"boom"};
            co_return;
          });
          co_await note(*log, 1h, "body");
        },
        &log);
    CHECK_THROWS_WITH(t.run(std::move(opened)), "boom");
    CHECK(log.size() == 2);
    CHECK(log[0].ends_with("stopped"));
  }

  TEST_CASE("stop reaches every task below, and what is started afterwards") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          std::ignore = s.start(weft::with_scope(
              [](std::vector<std::string>* log, weft::scope& inner) -> weft::task<> {
                std::ignore = inner.start(note(*log, 1h, "grandchild"));
                co_return;
              },
              log));
          co_await weft::yield{};
          co_await weft::yield{};
          s.stop();
          std::ignore = s.start(note(*log, 1h, "latecomer"));
        },
        &log));
    CHECK(log == std::vector<std::string>{"grandchild stopped", "latecomer stopped"});
  }

  TEST_CASE("after runs a function when its time has come, unless the scope is stopped before") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          auto say = [](std::vector<std::string>* log, std::string what) -> weft::task<> {
            log->push_back(what);
            co_return;
          };
          std::ignore = s.after(10ms, say, log, std::string{"in time"});
          std::ignore = s.after(1h, say, log, std::string{"too late"});
          std::ignore = co_await weft::sleep_for(20ms);
          s.stop();
        },
        &log));
    CHECK(log == std::vector<std::string>{"in time"});
  }

  TEST_CASE("a waiter that is stopped is released with CANCELLED while the task goes on") {
    test::virtual_time t;
    auto slow = []() -> weft::task<weft::result<int>> {
      std::ignore = co_await weft::sleep_for(50ms);
      co_return 1;
    };
    const auto code = t.run(weft::with_scope(
        [](auto slow, weft::scope& s) -> weft::task<weft::code> {
          auto started = s.start(slow());
          auto waiter = s.start(weft::as_task(std::move(started)));
          co_await weft::yield{};
          waiter.stop();
          auto r = co_await std::move(waiter);
          co_return r.code();
        },
        slow));
    CHECK(code == weft::code::cancelled);
  }
}

TEST_SUITE("event") {
  TEST_CASE("set releases those who wait and those who come later, until reset") {
    test::virtual_time t;
    weft::event e;
    const int passed = t.run(weft::with_scope(
        [](weft::event* e, weft::scope& s) -> weft::task<int> {
          auto waiter = [](weft::event* e) -> weft::task<weft::status> { co_return co_await e->wait(); };
          auto a = s.start(waiter(e)), b = s.start(waiter(e));
          co_await weft::yield{};
          e->set();
          int passed = (co_await std::move(a)).ok() ? 1 : 0;
          passed += (co_await std::move(b)).ok() ? 1 : 0;
          passed += (co_await e->wait()).ok() ? 1 : 0;
          co_return passed;
        },
        &e));
    CHECK(passed == 3);
  }

  TEST_CASE("stop ends the wait for an event with CANCELLED") {
    test::virtual_time t;
    weft::event e;
    CHECK(t.run(weft::with_timeout(5ms, e.wait())).code() == weft::code::deadline_exceeded);
  }
}

TEST_SUITE("queue") {
  TEST_CASE("values come out in order, a full queue makes the pusher wait, close lets the rest out") {
    test::virtual_time t;
    const auto got = t.run(weft::with_scope([](weft::scope& s) -> weft::task<std::vector<int>> {
      weft::queue<int> q{2};
      auto produce = [](weft::queue<int>* q) -> weft::task<> {
        for (int i = 0; i < 5; ++i) CHECK((co_await q->push(i)).ok());
        q->close();
      };
      auto producer = s.start(produce(&q));
      co_await weft::yield{};
      CHECK(q.size() == 2);
      std::vector<int> got;
      while (auto v = co_await q.pop()) got.push_back(*v);
      CHECK(q.try_push(9).code() == weft::code::failed_precondition);
      co_return got;
    }));
    CHECK(got == std::vector<int>{0, 1, 2, 3, 4});
  }

  TEST_CASE("a full queue refuses try_push and leaves the value alone") {
    weft::queue<std::string> q{1};
    CHECK(q.try_push("a").ok());
    std::string b = "b";
    CHECK(q.try_push(std::move(b)).code() == weft::code::resource_exhausted);
    CHECK(b == "b");
  }

  TEST_CASE("a receiver that is stopped takes nothing with it") {
    test::virtual_time t;
    const auto got = t.run(weft::with_scope([](weft::scope& s) -> weft::task<int> {
      weft::queue<int> q{4};
      auto loser = s.start(q.pop());
      co_await weft::yield{};
      loser.stop();
      CHECK(q.try_push(7).ok());
      auto lost = co_await std::move(loser);
      CHECK_FALSE(lost.has_value());
      auto v = co_await q.pop();
      co_return *v;
    }));
    CHECK(got == 7);
  }
}
