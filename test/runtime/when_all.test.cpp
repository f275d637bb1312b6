#include <doctest/doctest.h>

#include <stdexcept>
#include <tuple>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<weft::result<int>> after(weft::duration d, int value) {
  auto s = co_await weft::sleep_for(d);
  if (!s.ok()) co_return s;
  co_return value;
}
weft::task<> throws_after(weft::duration d) {
  std::ignore = co_await weft::sleep_for(d);
  throw std::runtime_error{"boom"};
}
// Does not end before its time, whatever is asked of it.
weft::task<weft::result<int>> stubborn(weft::duration d) {
  std::ignore = co_await weft::shield(weft::sleep_for(d), 1h);
  co_return 9;
}

}  // namespace

TEST_SUITE("when_all") {
  TEST_CASE("when_all yields every value after the longest time, not the sum") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    auto [a, b] = t.run(weft::when_all(after(10ms, 1), after(20ms, 2)));
    CHECK(*a == 1);
    CHECK(*b == 2);
    CHECK(t.clock.now() - begin < 25ms);
  }

  TEST_CASE("an error of one part leaves the others alone") {
    test::virtual_time t;
    auto failing = []() -> weft::task<weft::status> { co_return weft::aborted("no"); };
    auto [s, v] = t.run(weft::when_all(failing(), after(5ms, 2)));
    CHECK(s == weft::aborted("no"));
    CHECK(*v == 2);
  }

  TEST_CASE("the first exception stops the others, which are awaited, and is rethrown") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    CHECK_THROWS_WITH(std::ignore = t.run(weft::when_all(throws_after(1ms), after(1h, 2))), "boom");
    CHECK(t.clock.now() - begin < 10ms);
  }
}

TEST_SUITE("race") {
  TEST_CASE("the first to end wins, the loser is stopped and awaited") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    auto won = t.run(weft::race(after(1h, 1), after(5ms, 2)));
    REQUIRE(won.index() == 1);
    CHECK(*std::get<1>(won) == 2);
    CHECK(t.clock.now() - begin < 10ms);
  }

  TEST_CASE("a loser that winds up slowly is awaited") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    auto won = t.run(weft::race(stubborn(50ms), after(5ms, 2)));
    CHECK(won.index() == 1);
    CHECK(t.clock.now() - begin >= 50ms);
  }

  TEST_CASE("an exception of the winner is rethrown") {
    test::virtual_time t;
    CHECK_THROWS_WITH(std::ignore = t.run(weft::race(throws_after(1ms), after(1h, 2))), "boom");
  }
}

TEST_SUITE("with_timeout") {
  TEST_CASE("what ends in time comes back as it is") {
    test::virtual_time t;
    CHECK(*t.run(weft::with_timeout(10ms, after(5ms, 3))) == 3);
  }

  TEST_CASE("what takes too long is stopped and comes back as DEADLINE_EXCEEDED") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    CHECK(t.run(weft::with_timeout(10ms, after(1h, 3))).code() == weft::code::deadline_exceeded);
    CHECK(t.clock.now() - begin < 20ms);
  }

  TEST_CASE("a value that comes in spite of the time-out is not lost") {
    test::virtual_time t;
    CHECK(*t.run(weft::with_timeout(10ms, stubborn(50ms))) == 9);
  }
}

TEST_SUITE("shield") {
  TEST_CASE("stop does not reach what is shielded, before or after it began") {
    test::virtual_time t;
    auto leaving = []() -> weft::task<weft::result<int>> {
      std::ignore = co_await weft::sleep_for(1h);  // stopped here
      co_return co_await weft::shield(after(20ms, 4), 1s);
    };
    auto [r, s] = t.run([](auto leaving) -> weft::task<std::tuple<weft::result<int>, int>> {
      auto won = co_await weft::race(leaving(), weft::shield(after(5ms, 1), 1s));
      co_return std::tuple{weft::result<int>{static_cast<int>(won.index())}, 0};
    }(leaving));
    CHECK(*r == 1);
    CHECK(s == 0);
  }

  TEST_CASE("a shield that lasts too long is stopped after its limit") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    CHECK(t.run(weft::shield(after(1h, 4), 30ms)).code() == weft::code::cancelled);
    CHECK(t.clock.now() - begin < 40ms);
  }
}
