#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>

#include "../support/idle_pump.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> sleep_then(weft::duration d, bool* woke) {
  std::ignore = co_await weft::sleep_for(d);
  *woke = true;
}

/// Events that wait at a source, each of which takes the clock on.
class backlog final : public weft::event_source {
 public:
  backlog(weft::manual_clock& clock, int events, weft::duration each) : clock_{clock}, left{events}, each_{each} {}
  std::size_t poll(weft::time_point) noexcept override {
    if (left == 0) return 0;
    --left;
    clock_.advance(each_);
    return 1;
  }
  void wake() noexcept override {}

 private:
  weft::manual_clock& clock_;

 public:
  int left;

 private:
  weft::duration each_;
};

bool readable(int fd, int wait_ms = 0) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, wait_ms) == 1;
}

/// A pumped runtime with a descriptor, pumped until it has nothing left to do.
struct woken_runtime {
  explicit woken_runtime(weft::runtime_options options = {}) : rt{with_fd(std::move(options))} { settle(); }
  void settle() {
    while (rt.pump().more) {
    }
  }
  static weft::runtime_options with_fd(weft::runtime_options o) {
    o.workers = 0;
    o.wake.fd = true;
    return o;
  }
  weft::runtime rt;
};

}  // namespace

TEST_SUITE("pump") {
  TEST_CASE("pump ends after max_events, says how many it ran and how many are left, and goes on in order") {
    weft::runtime rt{{.workers = 0}};
    weft::strand s{rt};
    std::vector<int> order;
    for (int i = 0; i < 25; ++i) REQUIRE(s.try_post([&order, i] { order.push_back(i); }).ok());
    auto result = rt.pump({.budget = 1h, .max_events = 10});
    CHECK(order.size() == 10);
    CHECK(result.ran == 10);
    CHECK(result.left == 15);
    CHECK(result.more);
    result = rt.pump({.budget = 1h, .max_events = 10});
    CHECK(result.left == 5);
    result = rt.pump({.budget = 1h, .max_events = 10});
    CHECK(result.ran == 5);
    CHECK(result.left == 0);
    CHECK_FALSE(result.more);
    CHECK(order.size() == 25);
    CHECK(std::ranges::is_sorted(order));
  }

  TEST_CASE("events of the source count towards max_events too") {
    weft::manual_clock clock;
    auto owned = std::make_unique<backlog>(clock, 25, 0ms);
    auto& source = *owned;
    weft::runtime rt{{.workers = 0, .time = &clock}, std::move(owned)};
    const auto result = rt.pump({.budget = 1h, .max_events = 10});
    CHECK(result.ran == 10);
    CHECK(source.left == 15);
    CHECK(result.more);
  }

  TEST_CASE("events of the source overrun the budget by at most one") {
    weft::manual_clock clock;
    auto owned = std::make_unique<backlog>(clock, 100, 2ms);
    auto& source = *owned;
    weft::runtime rt{{.workers = 0, .time = &clock}, std::move(owned)};
    CHECK(rt.pump(5ms).more);
    CHECK(source.left == 97);
    CHECK(rt.pump(0ms).more);
    CHECK(source.left == 96);
  }

  TEST_CASE("after a pump that overran its budget the next ones end in time") {
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock}, std::make_unique<backlog>(clock, 1'000, 700us)};
    const auto pump = [&] {
      const auto begin = clock.now();
      CHECK(rt.pump(10ms).more);
      return clock.now() - begin;
    };
    CHECK(pump() > 10ms);
    for (int i = 0; i < 5; ++i) {
      const auto took = pump();
      CHECK(took <= 10ms);
      CHECK(took >= 7'500us);
    }
    const auto begin = clock.now();  // what the long ones overran is not held against a short one
    CHECK(rt.pump(2ms).more);
    CHECK(clock.now() - begin >= 1'500us);
    CHECK(clock.now() - begin <= 2'500us);
  }

  TEST_CASE("a strand that always has work leaves part of each pump to the source's events, and the reverse") {
    struct again {
      weft::strand* s;
      weft::manual_clock* clock;
      int* ran;
      bool* ending;
      void operator()() const {
        ++*ran;
        clock->advance(10us);
        if (!*ending) std::ignore = s->try_post(again{*this});
      }
    };
    struct limit {
      std::size_t max_events;
      int pumps;
    };
    for (const auto& [max_events, pumps] : {limit{0, 1}, limit{100, 2}, limit{1, 200}}) {
      CAPTURE(max_events);
      weft::manual_clock clock;
      auto owned = std::make_unique<backlog>(clock, 1'000, 10us);
      auto& source = *owned;
      weft::runtime rt{{.workers = 0, .time = &clock}, std::move(owned)};
      weft::strand s{rt};
      int ran = 0;
      bool ending = false;
      REQUIRE(s.try_post(again{&s, &clock, &ran, &ending}).ok());
      for (int i = 0; i < pumps; ++i) rt.pump({.budget = 2ms, .max_events = max_events});
      CHECK(ran >= 50);
      CHECK(source.left <= 1'000 - 50);
      ending = true;
      rt.pump();
    }
  }

  TEST_CASE("without a limit of events a pump runs thousands of entries while the clock stands still") {
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock}};
    weft::strand s{rt};
    int ran = 0;
    for (int i = 0; i < 5'000; ++i) REQUIRE(s.try_post([&ran] { ++ran; }).ok());
    rt.pump();
    CHECK(ran == 5'000);
  }

  TEST_CASE("pump in a frame loop neither blocks nor asks for anything while a timer runs") {
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock}};
    bool woke = false;
    REQUIRE(weft::spawn(rt.control(), "sleeper", &sleep_then, 100ms, &woke));
    int frames = 0;
    do {
      rt.pump({.budget = 2ms, .max_events = 1'000});
      clock.advance(16ms);
      ++frames;
    } while (!woke);
    CHECK(frames == 8);
  }

#if !WEFT_ASAN && !WEFT_TSAN  // they cost more than it
  TEST_CASE("a pump with nothing to do costs less than 5 us of CPU, with a descriptor too") {
    weft::runtime plain{{.workers = 0}};
    const auto cost = test::idle_pump_us(plain);
    MESSAGE("a pump with nothing to do: " << cost << " us");
    CHECK(cost < 5.0);
    woken_runtime woken;
    CHECK(test::idle_pump_us(woken.rt) < 5.0);
  }
#endif
}

TEST_SUITE("pump wake") {
  TEST_CASE("the descriptor is close-on-exec, not readable with nothing to do, readable when something was posted") {
    woken_runtime w;
    CHECK((fcntl(w.rt.wake_fd(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK_FALSE(readable(w.rt.wake_fd()));
    weft::strand s{w.rt};
    w.settle();
    int ran = 0;
    std::thread poster{[&] { std::ignore = s.try_post([&ran] { ++ran; }); }};
    CHECK(readable(w.rt.wake_fd(), 10'000));
    poster.join();
    CHECK(ran == 0);
    w.settle();
    CHECK(ran == 1);
    CHECK_FALSE(readable(w.rt.wake_fd()));
  }

  TEST_CASE("before the first pump the descriptor is readable") {
    weft::runtime rt{woken_runtime::with_fd({})};
    CHECK(readable(rt.wake_fd()));
  }

  TEST_CASE("the descriptor stays readable while a pump has left something") {
    woken_runtime w;
    weft::strand s{w.rt};
    for (int i = 0; i < 3; ++i) std::ignore = s.try_post([] {});
    CHECK(w.rt.pump({.budget = 1h, .max_events = 1}).more);
    CHECK(readable(w.rt.wake_fd()));
    w.settle();
    CHECK_FALSE(readable(w.rt.wake_fd()));
  }

  TEST_CASE("what the pumping thread itself starts between two pumps is not missed") {
    bool woke = false;
    woken_runtime w;
    REQUIRE(weft::spawn(w.rt.control(), "sleeper", &sleep_then, 0ms, &woke));
    CHECK(readable(w.rt.wake_fd()));
    w.settle();
    weft::visit(w.rt.worker_at(0), [] {});  // makes rounds of its own
    CHECK(readable(w.rt.wake_fd()));
  }

  TEST_CASE(
      "the callback comes once between two pumps, and nothing is lost between many threads and a loop that waits") {
    std::atomic<int> calls{0};
    weft::runtime_options options;
    options.wake.call = [&calls] { ++calls; };
    woken_runtime w{std::move(options)};
    weft::strand s{w.rt};
    w.settle();
    calls = 0;
    for (int i = 0; i < 10; ++i) std::ignore = s.try_post([] {});
    CHECK(calls == 1);
    w.settle();

    constexpr int each = 20'000;
    int ran = 0;
    std::vector<std::thread> posters;
    for (int t = 0; t < 3; ++t) {
      posters.emplace_back([&] {
        for (int i = 0; i < each; ++i) std::ignore = s.try_post([&ran] { ++ran; });
      });
    }
    while (ran < 3 * each) {
      REQUIRE(readable(w.rt.wake_fd(), 10'000));
      w.rt.pump();
    }
    for (auto& t : posters) t.join();
  }

  TEST_CASE("sync_wait on such a runtime sleeps until a timer is due, or until it is woken") {
    woken_runtime w;
    bool woke = false;
    weft::sync_wait(w.rt, sleep_then(20ms, &woke));
    CHECK(woke);
    weft::event e;
    weft::strand& s = w.rt.control();
    std::thread poster{[&] { std::ignore = s.try_post([&e] { e.set(); }); }};
    CHECK(weft::sync_wait(w.rt, weft::as_task(e.wait())).ok());
    poster.join();
  }
}

TEST_SUITE("thread_start") {
  TEST_CASE("the hook is called on every thread that weft starts, first of all, with its name") {
    std::mutex mutex;
    std::vector<std::string> names;
    std::vector<std::thread::id> ids;
    const weft::thread_hook hook = [&](const char* name) {
      std::lock_guard lock{mutex};
      names.emplace_back(name);
      ids.push_back(std::this_thread::get_id());
    };
    {
      weft::runtime rt{{.workers = 2, .thread_start = hook}};
      weft::io sockets{{.thread_start = hook}};
      weft::blocking_pool<int> pool{[] { return 1; }, {.threads = 2, .thread_start = hook}};
    }
    std::ranges::sort(names);
    CHECK(names == std::vector<std::string>{"weft-blocking", "weft-blocking", "weft-io", "weft-monitor", "weft-worker",
                                            "weft-worker"});
    std::ranges::sort(ids);
    CHECK(std::ranges::adjacent_find(ids) == ids.end());
    CHECK(std::ranges::count(ids, std::this_thread::get_id()) == 0);
  }

  TEST_CASE("a pumped runtime starts no thread, with a descriptor neither") {
    int started = 0;
    weft::runtime_options options;
    options.thread_start = [&started](const char*) { ++started; };
    {
      const woken_runtime w{std::move(options)};
    }
    CHECK(started == 0);
  }
}
