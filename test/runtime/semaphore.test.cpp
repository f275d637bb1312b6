#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/semaphore.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<weft::status> use(weft::semaphore* s, std::size_t n, weft::duration d, std::string* log, char who) {
  auto held = co_await weft::ok(s->acquire(n));
  *log += who;
  std::ignore = co_await weft::sleep_for(d);
  co_return weft::status{};
}

}  // namespace

TEST_SUITE("semaphore") {
  TEST_CASE("permits go to waiters in the order in which they came, and small wishes do not overtake a large one") {
    test::virtual_time t;
    weft::semaphore s{3};
    std::string log;
    t.run(weft::with_scope(
        [](weft::semaphore* s, std::string* log, weft::scope& tasks) -> weft::task<> {
          std::ignore = tasks.start(use(s, 2, 10ms, log, 'a'));
          std::ignore = tasks.start(use(s, 3, 10ms, log, 'b'));
          std::ignore = tasks.start(use(s, 1, 10ms, log, 'c'));
          co_await weft::yield{};
          CHECK(*log == "a");
          CHECK(s->waiting() == 2);
          CHECK(s->free() == 1);
          CHECK_FALSE(s->try_acquire().has_value());  // it is b's turn
        },
        &s, &log));
    CHECK(log == "abc");
    CHECK(s.free() == 3);
  }

  TEST_CASE("when the first waiter is stopped those behind it get what is free") {
    test::virtual_time t;
    weft::semaphore s{2};
    std::string log;
    t.run(weft::with_scope(
        [](weft::semaphore* s, std::string* log, weft::scope& tasks) -> weft::task<> {
          std::ignore = tasks.start(use(s, 1, 1h, log, 'a'));
          auto large = tasks.start(use(s, 2, 1ms, log, 'b'));
          std::ignore = tasks.start(use(s, 1, 1ms, log, 'c'));
          co_await weft::yield{};
          large.stop();
          const auto stopped = co_await std::move(large);
          CHECK(stopped == weft::cancelled("stopped while waiting for a semaphore"));
          co_await weft::yield{};
          CHECK(*log == "ac");
          tasks.stop();
        },
        &s, &log));
    CHECK(s.free() == 2);
    CHECK(s.waiting() == 0);
  }

  TEST_CASE("asking for more permits than there are is an error, not a wait without end") {
    test::virtual_time t;
    weft::semaphore s{2};
    t.run([](weft::semaphore* s) -> weft::task<> {
      const auto held = co_await s->acquire(3);
      CHECK(held.status() == weft::invalid_argument("a semaphore of 2 was asked for 3"));
    }(&s));
    CHECK_FALSE(s.try_acquire(3).has_value());
    CHECK(s.free() == 2);
  }

  TEST_CASE("a permit gives back what it holds once, and resumes nobody inline") {
    test::virtual_time t;
    weft::semaphore s{1};
    t.run(weft::with_scope(
        [](weft::semaphore* s, weft::scope& tasks) -> weft::task<> {
          std::string log;
          auto mine = s->try_acquire();
          auto other = tasks.start(use(s, 1, 0ms, &log, 'o'));
          co_await weft::yield{};
          auto moved = std::move(*mine);
          moved.release();
          moved.release();
          CHECK(log.empty());
          CHECK(s->free() == 0);  // handed over already
          CHECK((co_await std::move(other)).ok());
        },
        &s));
    CHECK(s.free() == 1);
  }
}
