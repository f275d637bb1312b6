#include <doctest/doctest.h>

#include <atomic>
#include <ctime>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <tuple>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> pause(weft::duration d) { std::ignore = co_await weft::sleep_for(d); }

/// A source of which the test sees when the worker waits in it, and which it can keep from returning. It knows no timers.
class watched_source final : public weft::event_source {
 public:
  std::size_t poll(weft::time_point until) noexcept override {
    if (until == weft::time_point::min()) return 0;
    waits.fetch_add(1);
    waits.notify_all();
    go.acquire();
    return 0;
  }
  void wake() noexcept override {
    wakes.fetch_add(1);
    if (!hold) go.release();
  }
  /// Blocks until the worker waits here for the `n`th time.
  void await_wait(int n) {
    for (int now = waits; now < n; now = waits) waits.wait(now);
  }

  std::atomic<int> waits{0};
  std::atomic<int> wakes{0};
  std::atomic<bool> hold{false};
  std::counting_semaphore<> go{0};
};

weft::worker_counters counters_of(weft::worker& w) {
  weft::worker_counters c;
  weft::visit(w, [&] { c = w.counters(); });
  return c;
}

double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

}  // namespace

TEST_SUITE("pump") {
  TEST_CASE("pump runs everything on the calling thread and starts none") {
    weft::runtime rt{{.workers = 0}};
    CHECK(rt.workers() == 0);
    std::thread::id ran_on;
    REQUIRE(weft::spawn(
        rt.control(), "task",
        [](std::thread::id* id) -> weft::task<> {
          *id = std::this_thread::get_id();
          co_return;
        },
        &ran_on));
    CHECK(ran_on == std::thread::id{});
    rt.pump();
    CHECK(ran_on == std::this_thread::get_id());
  }

  TEST_CASE("pump with nothing to do returns at once and says that no timer is armed") {
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock}};
    const auto left = rt.pump(1h);
    CHECK_FALSE(left.more);
    CHECK(left.next_timer == weft::never);
  }

  TEST_CASE("pump does not wait for a timer but says when it is due") {
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock}};
    const auto due = clock.now() + 10ms;
    bool woke = false;
    REQUIRE(weft::spawn(
        rt.control(), "sleeper",
        [](bool* woke) -> weft::task<> {
          co_await pause(10ms);
          *woke = true;
        },
        &woke));
    auto left = rt.pump(1h);
    CHECK_FALSE(left.more);
    CHECK(left.next_timer == due);
    clock.advance(10ms);
    left = rt.pump();
    CHECK(woke);
    CHECK(left.next_timer == weft::never);
  }

  TEST_CASE("pump overruns its budget by at most one entry, however the entries lie on strands") {
    for (const int strands : {1, 100}) {
      weft::manual_clock clock;
      weft::runtime rt{{.workers = 0, .time = &clock}};
      std::vector<std::unique_ptr<weft::strand>> all;
      for (int i = 0; i < strands; ++i) all.push_back(std::make_unique<weft::strand>(rt));
      int ran = 0;
      for (std::size_t i = 0; i < 100; ++i) {
        REQUIRE(all[i % all.size()]
                    ->try_post([&] {
                      ++ran;
                      clock.advance(2ms);
                    })
                    .ok());
      }
      CHECK(rt.pump(5ms).more);
      CHECK(ran == 3);  // 6 ms: the third was begun within the budget
      CHECK(rt.pump(0ms).more);
      CHECK(ran == 4);
      CHECK_FALSE(rt.pump(1h).more);
      CHECK(ran == 100);
    }
  }

  TEST_CASE("sync_wait on a pumped runtime is woken by what another thread posts") {
    auto owned = std::make_unique<watched_source>();
    auto& source = *owned;
    weft::runtime rt{{.workers = 0}, std::move(owned)};
    weft::strand s{rt};
    weft::event e;
    std::thread poster{[&] {
      source.await_wait(1);
      std::ignore = s.try_post([&e] { e.set(); });
    }};
    CHECK(weft::sync_wait(rt, weft::as_task(e.wait())).ok());
    poster.join();
  }
}

TEST_SUITE("runtime") {
  TEST_CASE("a thread that keeps starting roots does not keep the runtime alive, and what was accepted ends") {
    for (int round = 0; round < 10; ++round) {
      std::atomic<int> accepted{0}, ended{0};
      std::atomic<bool> refused{false};
      std::thread spawner;
      {
        weft::runtime rt;
        spawner = std::thread{[&] {
          const auto root = [](std::atomic<int>* ended) -> weft::task<> {
            std::ignore = co_await weft::shield(weft::sleep_for(1ms), 1h);
            ++*ended;
          };
          while (weft::spawn(rt.control(), "root", root, &ended)) ++accepted;
          refused = true;
          refused.notify_one();
        }};
        while (accepted < 10) std::this_thread::yield();
        rt.stop();
        CHECK(accepted == ended);
        refused.wait(false);
      }
      spawner.join();
    }
  }

  TEST_CASE("many runtimes exist one after the other") {
    for (int i = 0; i < 50; ++i) {
      weft::runtime rt{{.workers = 1 + i % 3}};
      weft::sync_wait(rt, pause(0ms));
    }
  }

  TEST_CASE("many runtimes exist side by side, pumped and threaded ones") {
    std::vector<std::unique_ptr<weft::runtime>> all;
    for (int i = 0; i < 8; ++i) {
      all.push_back(std::make_unique<weft::runtime>(weft::runtime_options{.workers = i % 3}));
    }
    int ended = 0;
    for (int round = 0; round < 20; ++round) {
      for (auto& rt : all) {
        weft::sync_wait(*rt, pause(0ms));
        ++ended;
      }
    }
    CHECK(ended == 160);
    while (!all.empty()) all.erase(all.begin());
  }

  TEST_CASE("stop ends tasks in every kind of wait, awaits them, and can be called again") {
    weft::event never_set;
    weft::queue<int> empty{1}, full{1};
    REQUIRE(full.try_push(0).ok());
    weft::runtime rt{{.workers = 2}};
    weft::service far{rt, {.name = "far", .worker = 1}};
    std::atomic<int> begun{0}, ended{0};
    const auto wait_in = [&](const char* name, auto body) {
      REQUIRE(weft::spawn(rt.control(), name, [&begun, &ended, body]() -> weft::task<> {
        ++begun;
        begun.notify_all();
        co_await body();
        ++ended;
      }));
    };
    wait_in("sleep", []() -> weft::task<> { CHECK_FALSE((co_await weft::sleep_for(1h)).ok()); });
    wait_in("event", [&]() -> weft::task<> { CHECK_FALSE((co_await never_set.wait()).ok()); });
    wait_in("pop", [&]() -> weft::task<> { CHECK_FALSE((co_await empty.pop()).has_value()); });
    wait_in("push", [&]() -> weft::task<> { CHECK_FALSE((co_await full.push(1)).ok()); });
    wait_in("call", [&]() -> weft::task<> {
      const auto r = co_await far.call([]() -> weft::task<> { co_await pause(1h); }, weft::within{1h});
      CHECK(r.code() == weft::code::cancelled);
    });
    wait_in("join", []() -> weft::task<> {
      co_await weft::with_scope([](weft::scope& s) -> weft::task<> {
        std::ignore = s.start(pause(1h));
        co_return;
      });
    });
    wait_in("shield", []() -> weft::task<> {
      CHECK((co_await weft::shield(weft::sleep_for(20ms), 1h)).ok());        // is let play out
      CHECK_FALSE((co_await weft::shield(weft::sleep_for(1h), 20ms)).ok());  // and is bounded
    });
    for (int now = begun; now < 7; now = begun) begun.wait(now);
    weft::visit(rt.worker_at(0), [] {});  // the entries are over: all of them wait
    CHECK(ended == 0);
    rt.stop();
    CHECK(ended == 7);
    rt.stop();
    CHECK_FALSE(weft::spawn(rt.control(), "late", [] { return pause(0ms); }));
  }

  TEST_CASE("what is spawned while the runtime stops is run to its end, or refused") {
    for (int round = 0; round < 30; ++round) {
      weft::runtime rt{{.workers = 2}};
      weft::strand far{rt, {.worker = 1}};
      std::atomic<int> ended{0};
      int started = 0;
      std::binary_semaphore begun{0};
      std::thread spawner{[&] {
        const auto sleep_long = [&ended]() -> weft::task<> {
          co_await pause(1h);
          ++ended;
        };
        // Bounded: who goes on for ever keeps the runtime from stopping.
        for (int i = 0; i < 500 + 50 * round; ++i) {
          if (i == 500) begun.release();
          if (weft::spawn(i % 2 == 0 ? rt.control() : far, "late", sleep_long)) ++started;
        }
        if (round == 0) begun.release();
      }};
      begun.acquire();
      rt.stop();
      spawner.join();
      CHECK(ended == started);
    }
  }

  TEST_CASE("an idle runtime uses no CPU and does not wake") {
    weft::runtime rt{{.workers = 2}};
    const auto first = counters_of(rt.worker_at(0)), second = counters_of(rt.worker_at(1));
    const auto cpu = cpu_ms();
    weft::sync_wait(rt, pause(300ms));
    CHECK(cpu_ms() - cpu < 10);
    // Worker 0 has a timer, which moves down the wheel's levels; worker 1 slept from one visit to the next.
    CHECK(counters_of(rt.worker_at(0)).sleeps - first.sleeps <= 6);
    CHECK(counters_of(rt.worker_at(1)).sleeps - second.sleeps == 1);
  }

  TEST_CASE("a worker that sleeps is woken by work from another thread, once for a burst") {
    auto owned = std::make_unique<watched_source>();
    auto& source = *owned;
    weft::runtime rt{{}, std::move(owned)};
    weft::strand s{rt};
    source.await_wait(1);
    source.hold = true;
    std::atomic<int> ran{0};
    weft::worker_counters seen;
    for (int i = 0; i < 1'000; ++i) {
      REQUIRE(s.try_post([&] {
                 if (ran == 999) seen = rt.worker_at(0).counters();
                 if (++ran == 1'000) ran.notify_one();
               }).ok());
    }
    CHECK(source.wakes == 1);
    source.hold = false;
    source.go.release();
    for (int now = ran; now < 1'000; now = ran) ran.wait(now);
    CHECK(seen.wakes == 1);
    CHECK(seen.sleeps == 1);
    CHECK(seen.entries == 1'000);
  }

  TEST_CASE("a worker that is busy is not woken") {
    auto owned = std::make_unique<watched_source>();
    auto& source = *owned;
    weft::runtime rt{{}, std::move(owned)};
    weft::strand s{rt};
    source.await_wait(1);
    std::binary_semaphore running{0}, go_on{0};
    std::atomic<int> left{101};
    const auto count = [&] {
      if (--left == 0) left.notify_one();
    };
    REQUIRE(s.try_post([&] {
               running.release();
               go_on.acquire();
               count();
             }).ok());
    running.acquire();
    for (int i = 0; i < 100; ++i) REQUIRE(s.try_post(count).ok());
    CHECK(source.wakes == 1);
    go_on.release();
    for (int now = left; now > 0; now = left) left.wait(now);
  }

  TEST_CASE("a worker that spins finds work without being woken, and sleeps in the end") {
    weft::runtime rt{{.workers = 1, .spin = 50us}};
    for (int i = 0; i < 200; ++i) weft::sync_wait(rt, pause(0ms));
    const auto before = counters_of(rt.worker_at(0));
    const auto cpu = cpu_ms();
    weft::sync_wait(rt, pause(200ms));
    CHECK(cpu_ms() - cpu < 20);
    CHECK(counters_of(rt.worker_at(0)).sleeps > before.sleeps);
  }
}

TEST_SUITE("visit") {
  TEST_CASE("visit runs on the worker, outside of strands, and not once the runtime has stopped") {
    weft::runtime rt{{.workers = 2}};
    const weft::worker* there = nullptr;
    const weft::strand* on = &rt.control();
    CHECK(weft::visit(rt.worker_at(1), [&] {
      there = weft::worker::current();
      on = weft::worker::current_strand();
    }));
    CHECK(there == &rt.worker_at(1));
    CHECK(on == nullptr);
    rt.stop();
    CHECK_FALSE(weft::visit(rt.worker_at(1), [] {}));
  }
}
