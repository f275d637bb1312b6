#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/mutex.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<weft::status> hold(weft::mutex* m, weft::duration d, std::vector<std::string>* log, std::string who) {
  auto held = co_await weft::ok(m->lock());
  log->push_back(who + " in");
  std::ignore = co_await weft::sleep_for(d);
  log->push_back(who + " out");
  co_return weft::status{};
}

}  // namespace

TEST_SUITE("mutex") {
  TEST_CASE("a mutex lets one in at a time, in the order in which they came") {
    test::virtual_time t;
    weft::mutex m;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](weft::mutex* m, std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          std::ignore = s.start(hold(m, 20ms, log, "a"));
          std::ignore = s.start(hold(m, 1ms, log, "b"));
          std::ignore = s.start(hold(m, 1ms, log, "c"));
          co_return;
        },
        &m, &log));
    CHECK(log == std::vector<std::string>{"a in", "a out", "b in", "b out", "c in", "c out"});
    CHECK_FALSE(m.locked());
  }

  TEST_CASE("a task that is stopped while it waits does not own the mutex, and the next one gets it") {
    test::virtual_time t;
    weft::mutex m;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](weft::mutex* m, std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          std::ignore = s.start(hold(m, 10ms, log, "a"));
          auto b = s.start(hold(m, 1ms, log, "b"));
          std::ignore = s.start(hold(m, 1ms, log, "c"));
          co_await weft::yield{};
          b.stop();
          const auto stopped = co_await std::move(b);
          CHECK(stopped == weft::cancelled("stopped while waiting for a mutex"));
          CHECK(m->locked());
        },
        &m, &log));
    CHECK(log == std::vector<std::string>{"a in", "a out", "c in", "c out"});
  }

  TEST_CASE("unlocking resumes nobody inline, and nobody gets in between") {
    test::virtual_time t;
    weft::mutex m;
    t.run(weft::with_scope(
        [](weft::mutex* m, weft::scope& s) -> weft::task<> {
          std::vector<std::string> log;
          auto mine = co_await m->lock();
          auto other = s.start(hold(m, 0ms, &log, "other"));
          co_await weft::yield{};
          mine->unlock();
          CHECK(log.empty());
          CHECK(m->locked());  // it is the other's now
          CHECK_FALSE(m->try_lock().has_value());
          CHECK((co_await std::move(other)).ok());
          CHECK_FALSE(m->locked());
        },
        &m));
  }

  TEST_CASE("what was handed over stays with a task that is stopped before it resumes") {
    test::virtual_time t;
    weft::mutex m;
    t.run(weft::with_scope(
        [](weft::mutex* m, weft::scope& s) -> weft::task<> {
          auto mine = co_await m->lock();
          auto other = s.start([](weft::mutex* m) -> weft::task<bool> {
            auto held = co_await m->lock();
            co_return held.ok();
          }(m));
          co_await weft::yield{};
          mine->unlock();
          other.stop();
          CHECK(co_await std::move(other));
        },
        &m));
    CHECK_FALSE(m.locked());
  }

  TEST_CASE("a guard unlocks once, wherever it is moved") {
    weft::mutex m;
    auto first = m.try_lock();
    REQUIRE(first.has_value());
    auto second = std::move(*first);
    first.reset();
    CHECK(m.locked());
    second.unlock();
    second.unlock();
    CHECK_FALSE(m.locked());
  }

  TEST_CASE("ten thousand updates that suspend in the middle lose none") {
    test::virtual_time t;
    weft::mutex m;
    int count = 0;
    t.run(weft::with_scope(
        [](weft::mutex* m, int* count, weft::scope& s) -> weft::task<> {
          auto add = [](weft::mutex* m, int* count, std::uint32_t seed) -> weft::task<> {
            std::minstd_rand random{seed};
            for (int i = 0; i < 100; ++i) {
              auto held = co_await m->lock();
              const int before = *count;
              for (auto n = random() % 3; n > 0; --n) co_await weft::yield{};
              *count = before + 1;
            }
          };
          for (std::uint32_t i = 1; i <= 100; ++i) std::ignore = s.start(add(m, count, i));
          co_return;
        },
        &m, &count));
    CHECK(count == 10'000);
  }
}
