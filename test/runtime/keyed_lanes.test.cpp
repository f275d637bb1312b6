#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/keyed_lanes.hpp>
#include <weft/runtime/scope.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> note(std::vector<std::string>* log, weft::duration d, std::string what) {
  const auto s = co_await weft::sleep_for(d);
  log->push_back(s.ok() ? what : what + " stopped");
}

// What arrived for each of 64 keys.
struct arrivals {
  std::array<int, 64> last{};
  int inversions = 0;
  int count = 0;
  std::size_t running = 0;
  std::size_t most_running = 0;
};

// A message that takes its time, which is now a turn of the strand, now a millisecond.
weft::task<> arrive(arrivals* seen, std::size_t key, int number, std::uint32_t random) {
  seen->most_running = std::max(seen->most_running, ++seen->running);
  if (random % 16 == 0) {
    std::ignore = co_await weft::sleep_for(std::chrono::milliseconds{1 + random / 16 % 3});
  } else {
    for (auto n = random / 16 % 4; n > 0; --n) co_await weft::yield{};
  }
  --seen->running;
  ++seen->count;
  seen->inversions += number < seen->last[key] ? 1 : 0;
  seen->last[key] = number;
}

}  // namespace

TEST_SUITE("keyed_lanes") {
  TEST_CASE("of 1,000,000 messages over 64 keys none overtakes another of its key, and the keys overlap") {
    test::virtual_time t;
    arrivals seen;
    t.run(weft::with_scope(
        [](arrivals* seen, weft::scope& s) -> weft::task<> {
          weft::keyed_lanes<std::size_t> lanes{s, {.keys = 64, .limit = 100, .waiting = 2'000}};
          std::mt19937 random{11};
          for (int i = 1; i <= 1'000'000; ++i) {
            const auto key = random() % 64;
            const auto delay = static_cast<std::uint32_t>(random());
            while (!lanes.run(key, arrive, seen, key, i, delay).ok()) std::ignore = co_await weft::sleep_for(1ms);
          }
          CHECK(lanes.waiting() <= 2'000);
          CHECK(lanes.refused() > 0);
        },
        &seen));
    CHECK(seen.count == 1'000'000);
    CHECK(seen.inversions == 0);
    CHECK(seen.most_running == 64);
  }

  TEST_CASE("the same messages as tasks without lanes do overtake each other") {
    test::virtual_time t;
    arrivals seen;
    t.run(weft::with_scope(
        [](arrivals* seen, weft::scope& s) -> weft::task<> {
          std::mt19937 random{11};
          for (int i = 1; i <= 100'000; ++i) {
            const auto key = random() % 64;
            const auto delay = static_cast<std::uint32_t>(random());
            std::ignore = s.start(arrive(seen, key, i, delay));
            while (s.running() >= 2'000) std::ignore = co_await weft::sleep_for(1ms);
          }
        },
        &seen));
    CHECK(seen.count == 100'000);
    CHECK(seen.inversions > 1'000);
  }

  TEST_CASE("jobs of one key run in order while other keys go on, and a key is forgotten with its last job") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          weft::keyed_lanes<std::string> rooms{s};
          CHECK(rooms.run("red", note, log, 20ms, std::string{"red 1"}).ok());
          CHECK(rooms.run("red", note, log, 1ms, std::string{"red 2"}).ok());
          CHECK(rooms.run("blue", note, log, 5ms, std::string{"blue"}).ok());
          CHECK(rooms.keys() == 2);
          CHECK(rooms.running() == 2);
          CHECK(rooms.waiting() == 1);
          std::ignore = co_await weft::sleep_for(10ms);
          CHECK(rooms.keys() == 1);
          std::ignore = co_await weft::sleep_for(20ms);
          CHECK(rooms.keys() == 0);
          CHECK(rooms.started() == 3);
          CHECK(rooms.run("red", note, log, 1ms, std::string{"red 3"}).ok());
        },
        &log));
    CHECK(log == std::vector<std::string>{"blue", "red 1", "red 2", "red 3"});
  }

  TEST_CASE("too many keys, jobs of a key or jobs in all are refused, each by name") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          weft::keyed_lanes<int> l{s, {.keys = 3, .limit = 2, .waiting = 3, .name = "rooms"}};
          const auto run = [&l, log](int key) { return l.run(key, note, log, 1ms, std::to_string(key)); };
          CHECK(run(1).ok());
          CHECK(run(2).ok());
          CHECK(run(3).ok());
          CHECK(run(4) == weft::resource_exhausted("rooms are full: 3 keys have jobs"));
          CHECK(run(1).ok());
          CHECK(run(1).ok());
          CHECK(run(1) == weft::resource_exhausted("rooms are full: 2 of the key wait"));
          CHECK(run(2).ok());
          CHECK(run(3) == weft::resource_exhausted("rooms are full: 3 wait"));
          CHECK(l.refused() == 3);
          co_return;
        },
        &log));
    CHECK(log.size() == 6);
  }

  TEST_CASE("jobs that have not begun when the scope stops are dropped, and new ones refused") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          weft::keyed_lanes<int> l{s};
          for (const int key : {1, 1, 1, 2}) CHECK(l.run(key, note, log, 1h, std::to_string(key)).ok());
          co_await weft::yield{};
          s.stop();
          CHECK(l.run(3, note, log, 1h, std::string{"late"}).code() == weft::code::cancelled);
          co_await weft::yield{};
          CHECK(l.dropped() == 2);
          CHECK(l.keys() == 0);
        },
        &log));
    std::sort(log.begin(), log.end());
    CHECK(log == std::vector<std::string>{"1 stopped", "2 stopped"});
  }
}
