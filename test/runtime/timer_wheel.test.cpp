#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <vector>
#include <weft/runtime/timer_wheel.hpp>

using namespace std::chrono_literals;
using weft::time_point;

namespace {

struct probe final : weft::timer {
  void expired() noexcept override {
    ++fired;
    if (then) then();
  }
  void dropped() noexcept override {
    ++drops;
    if (then) then();
  }
  int fired = 0;
  int drops = 0;
  std::function<void()> then;
};

const time_point start{1h};

}  // namespace

TEST_SUITE("timer_wheel") {
  TEST_CASE("a timer fires at its time and not before") {
    weft::timer_wheel wheel{start};
    probe p;
    wheel.arm(p, start + 100ms);
    wheel.advance(start + 99ms);
    CHECK(p.fired == 0);
    wheel.advance(start + 100ms);
    CHECK(p.fired == 1);
    CHECK_FALSE(p.armed());
  }

  TEST_CASE("a cancelled timer does not fire, and an armed one may be armed anew") {
    weft::timer_wheel wheel{start};
    probe cancelled, moved;
    wheel.arm(cancelled, start + 10ms);
    wheel.arm(moved, start + 10ms);
    wheel.advance(start + 5ms);
    cancelled.cancel();
    wheel.arm(moved, start + 20ms);
    wheel.advance(start + 15ms);
    CHECK(cancelled.fired + moved.fired == 0);
    wheel.advance(start + 20ms);
    CHECK(moved.fired == 1);
  }

  TEST_CASE("a time in the past fires at the next tick") {
    weft::timer_wheel wheel{start};
    wheel.advance(start + 50ms);
    probe p;
    wheel.arm(p, start);
    wheel.advance(start + 51ms);
    CHECK(p.fired == 1);
  }

  TEST_CASE("a timer that re-arms itself fires as often as the advanced time holds") {
    weft::timer_wheel wheel{start};
    probe p;
    p.then = [&] { wheel.arm(p, start + 10ms * (p.fired + 1)); };
    wheel.arm(p, start + 10ms);
    wheel.advance(start + 105ms);
    CHECK(p.fired == 10);
  }

  TEST_CASE("an expiring timer may cancel another of the same tick") {
    weft::timer_wheel wheel{start};
    probe first, second;
    first.then = [&] { second.cancel(); };
    wheel.arm(first, start + 10ms);
    wheel.arm(second, start + 10ms);
    wheel.advance(start + 10ms);
    CHECK(first.fired == 1);
    CHECK(second.fired == 0);
  }

  TEST_CASE("what is armed when the worker ends is dropped once, wherever it stands, and what is armed meanwhile too") {
    weft::timer_wheel wheel{start};
    probe soon, far, fresh, fired, cancelled, later;
    wheel.arm(fired, start + 1ms);
    for (auto* p : {&soon, &cancelled}) wheel.arm(*p, start + 10ms);
    wheel.arm(far, start + 100h);
    wheel.advance(start + 5ms);
    wheel.arm(fresh, start + 6ms);
    soon.then = [&] {
      cancelled.cancel();
      wheel.arm(later, start + 7ms);
    };
    CHECK(wheel.drop_all() == 4);
    for (const auto* p : {&soon, &far, &fresh, &later}) {
      CHECK(p->drops == 1);
      CHECK(p->fired == 0);
      CHECK_FALSE(p->armed());
    }
    CHECK(fired.drops + cancelled.drops == 0);
    CHECK(wheel.drop_all() == 0);
    CHECK(wheel.next_due() == weft::never);
  }

  TEST_CASE("next_due is never late and ends at never") {
    weft::timer_wheel wheel{start};
    CHECK(wheel.next_due() == weft::never);
    probe p;
    wheel.arm(p, start + 5s);
    auto now = start;
    int steps = 0;
    while (p.fired == 0 && ++steps < 10) {
      REQUIRE(wheel.next_due() <= start + 5s);
      now = wheel.next_due();
      wheel.advance(now);
    }
    CHECK(now == start + 5s);
    CHECK(wheel.next_due() == weft::never);
  }

  TEST_CASE("ten thousand random timers fire in order, each in its tick, as a sorted map would have it") {
    std::mt19937_64 random{20260101};
    weft::timer_wheel wheel{start};
    struct entry final : weft::timer {
      void expired() noexcept override { log->push_back(due); }
      std::vector<long>* log = nullptr;
      long due = 0;
    };
    std::vector<long> fired;
    std::vector<std::unique_ptr<entry>> entries;
    std::vector<long> expected;
    for (int i = 0; i < 10'000; ++i) {
      auto e = std::make_unique<entry>();
      e->log = &fired;
      e->due = 1 + static_cast<long>(random() % (i % 3 == 0 ? 100 : i % 3 == 1 ? 100'000 : 50'000'000));
      wheel.arm(*e, start + std::chrono::milliseconds{e->due});
      if (i % 5 == 0) {
        e->cancel();
      } else {
        expected.push_back(e->due);
      }
      entries.push_back(std::move(e));
    }
    std::sort(expected.begin(), expected.end());
    long now = 0;
    std::size_t checked = 0;
    bool in_time = true;
    while (now < 50'000'001) {
      now += static_cast<long>(random() % 20'000);
      wheel.advance(start + std::chrono::milliseconds{now});
      for (; checked < fired.size(); ++checked) in_time = in_time && fired[checked] <= now;
      in_time = in_time && (fired.size() == expected.size() || expected[fired.size()] > now);
    }
    CHECK(in_time);
    CHECK(fired == expected);
  }
}
