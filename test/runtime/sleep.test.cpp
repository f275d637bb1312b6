#include <doctest/doctest.h>

#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/when_all.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> say(std::string* log, const char* what, int times) {
  for (int i = 0; i < times; ++i) {
    *log += what;
    co_await weft::yield{};
  }
}

}  // namespace

TEST_SUITE("sleep") {
  TEST_CASE("sleep_for and sleep_until end in their tick, never early") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    const auto times =
        t.run([](weft::time_point begin, weft::clock* clock) -> weft::task<std::tuple<weft::duration, weft::duration>> {
          CHECK((co_await weft::sleep_for(10ms)).ok());
          const auto first = clock->now() - begin;
          CHECK((co_await weft::sleep_until(begin + 30ms)).ok());
          co_return std::tuple{first, clock->now() - begin};
        }(begin, &t.clock));
    CHECK(std::get<0>(times) >= 10ms);
    CHECK(std::get<0>(times) <= 12ms);
    CHECK(std::get<1>(times) >= 30ms);
    CHECK(std::get<1>(times) <= 32ms);
  }

  TEST_CASE("a time that is over ends with the next tick and lets others run") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    t.run([](weft::time_point begin) -> weft::task<> {
      CHECK((co_await weft::sleep_for(0ms)).ok());
      CHECK((co_await weft::sleep_for(-1h)).ok());
      CHECK((co_await weft::sleep_until(begin - 1min)).ok());
    }(begin));
    CHECK(t.clock.now() - begin <= 3ms);
  }

  TEST_CASE("a sleep without end arms no timer and is ended by stop") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    const auto won = t.run(weft::race(weft::sleep_until(weft::never), weft::sleep_for(5ms)));
    CHECK(won.index() == 1);
    CHECK(t.clock.now() - begin <= 6ms);
  }

  TEST_CASE("tasks whose time has come go first, in their order, however much is queued on their strand") {
    test::virtual_time t;
    int left = 20'000;  // more than the worker runs before it looks at its timers
    std::vector<int> left_at;
    auto sleeper = [](weft::duration d, int* left, std::vector<int>* left_at) -> weft::task<> {
      CHECK((co_await weft::sleep_for(d)).ok());
      left_at->push_back(*left);
    };
    auto flood = [](weft::manual_clock* clock, weft::strand* here, int* left) -> weft::task<> {
      for (int i = *left; i > 0; --i) CHECK(here->try_post([left] { --*left; }).ok());
      clock->advance(10ms);
      co_return;
    };
    t.run(weft::when_all(sleeper(5ms, &left, &left_at), sleeper(6ms, &left, &left_at),
                         flood(&t.clock, &t.rt.control(), &left)));
    REQUIRE(left_at.size() == 2);
    CHECK(left_at[0] > 0);
    CHECK(left_at[0] == left_at[1]);
  }

  TEST_CASE("timers that need all the time there is leave a turn to the rest of their strand") {
    test::virtual_time t;
    bool ran = false;
    t.run(weft::with_scope(
        [](test::virtual_time* t, bool* ran, weft::scope& s) -> weft::task<> {
          auto busy = [](weft::manual_clock* clock) -> weft::task<> {
            while ((co_await weft::sleep_for(1ms)).ok()) clock->advance(30us);
          };
          for (int i = 0; i < 128; ++i) std::ignore = s.start(busy, &t->clock);
          std::ignore = co_await weft::sleep_for(10ms);
          CHECK(t->rt.control().try_post([ran] { *ran = true; }).ok());
          for (int i = 0; i < 100 && !*ran; ++i) std::ignore = co_await weft::sleep_for(1ms);
          CHECK(*ran);
          s.stop();
        },
        &t, &ran));
  }

  TEST_CASE("in a task that is stopped a sleep ends at once with CANCELLED") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    const auto s = t.run(weft::with_scope([](weft::scope& s) -> weft::task<weft::status> {
      s.stop();
      co_return co_await weft::sleep_for(1h);
    }));
    CHECK(s == weft::cancelled("stopped while sleeping"));
    CHECK(t.clock.now() == begin);
  }
}

TEST_SUITE("yield") {
  TEST_CASE("tasks that yield take turns, stopped or not") {
    test::virtual_time t;
    std::string log;
    t.run(weft::with_scope(
        [](std::string* log, weft::scope& s) -> weft::task<> {
          std::ignore = s.start(say(log, "a", 3));
          std::ignore = s.start(say(log, "b", 3));
          s.stop();
          co_return;
        },
        &log));
    CHECK(log == "ababab");
  }

  TEST_CASE("a yield lets what is queued on the worker's other strands run first") {
    test::virtual_time t;
    weft::strand other{t.rt};
    bool ran = false;
    const bool first = t.run([](weft::strand* other, bool* ran) -> weft::task<bool> {
      CHECK(other->try_post([ran] { *ran = true; }).ok());
      co_await weft::yield{};
      co_return *ran;
    }(&other, &ran));
    CHECK(first);
  }
}
