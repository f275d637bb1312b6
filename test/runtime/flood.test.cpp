// One service gets ten times what it can take: what that costs it, its callers, and the others on its worker.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/run_order.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>

using namespace std::chrono_literals;

namespace {

// The plain order; counts the turns of strands.
class turn_counter final : public weft::run_order {
 public:
  std::size_t choose(std::size_t) noexcept override { return 0; }
  int turn(int most) noexcept override {
    ++turns;
    return most;
  }
  void runs(const weft::strand&, const weft::work&) noexcept override {}

  std::uint64_t turns = 0;
};

// What a request holds.
struct payload {
  payload() { most = std::max(most, ++alive); }
  payload(const payload&) : payload{} {}
  payload(payload&&) noexcept : payload{} {}
  payload& operator=(const payload&) = default;
  payload& operator=(payload&&) = default;
  ~payload() { --alive; }

  static inline int alive = 0;
  static inline int most = 0;
};

constexpr std::uint32_t mailbox = 100;
constexpr int flooders = 4;
constexpr int milliseconds = 1'000;
// Strands that can be runnable at one time: the flooded service's, the flooders', the client's and that of the service it
// calls.
constexpr int runnable = 1 + flooders + 2;

struct flood {
  turn_counter order;
  weft::manual_clock clock;
  weft::runtime rt{{.workers = 0, .time = &clock, .order = &order}};
  // Takes one call a millisecond.
  weft::service flooded{rt, {.name = "flooded", .reentrancy = weft::reentrancy::exclusive, .mailbox = mailbox}};
  weft::service other{rt, {.name = "other"}};
  weft::service client{rt, {.name = "client"}};
  std::array<std::unique_ptr<weft::service>, flooders> sources;

  std::uint64_t sent = 0;
  std::uint64_t refused = 0;
  std::uint64_t refused_after_waiting = 0;
  std::size_t most_waiting = 0;
  std::uint64_t other_called = 0;
  std::uint64_t most_turns = 0;
  std::uint64_t most_entries = 0;

  weft::worker& worker() { return rt.worker_at(0); }
  void flow() {
    while (rt.pump().more) {
    }
  }
};

weft::task<> take(payload) { std::ignore = co_await weft::sleep_for(1ms); }

// Ten calls a millisecond from all flooders together; one in ten awaits its outcome when it can only be a refusal.
weft::task<> pour(flood* f) {
  for (;;) {
    const auto slept = co_await weft::sleep_for(flooders * 1ms);
    if (!slept.ok()) co_return;
    for (int i = 0; i < 10; ++i) {
      ++f->sent;
      if (i == 9 && f->flooded.waiting() >= mailbox) {
        const auto entries = f->worker().counters().entries;
        auto one = [p = payload{}] { return take(p); };
        auto r = co_await f->flooded.call(std::move(one));
        CHECK(r.code() == weft::code::resource_exhausted);
        ++f->refused;
        if (f->worker().counters().entries != entries) ++f->refused_after_waiting;
      } else if (auto s = f->flooded.send([p = payload{}] { return take(p); }, weft::within{weft::duration::max()});
                 !s.ok()) {
        CHECK(s.code() == weft::code::resource_exhausted);
        ++f->refused;
      }
      co_await weft::yield{};
    }
  }
}

// Calls another service of the worker every millisecond, and counts what comes between.
weft::task<> call_other(flood* f) {
  for (;;) {
    const auto slept = co_await weft::sleep_for(1ms);
    if (!slept.ok()) co_return;
    const auto turns = f->order.turns;
    const auto entries = f->worker().counters().entries;
    auto r = co_await f->other.call([f, turns, entries] {
      ++f->other_called;
      f->most_turns = std::max(f->most_turns, f->order.turns - turns);
      f->most_entries = std::max(f->most_entries, f->worker().counters().entries - entries);
    });
    CHECK(r.ok());
  }
}

}  // namespace

TEST_SUITE("flood") {
  TEST_CASE(
      "ten times the load a service takes: it is bounded, refusals are immediate, the others wait their turn only") {
    payload::most = 0;
    flood f;
    for (auto& s : f.sources) {
      s = std::make_unique<weft::service>(f.rt, weft::service_options{.name = "source"});
      s->start(&pour, &f);
    }
    f.client.start(&call_other, &f);
    for (int i = 0; i < milliseconds; ++i) {
      f.flow();
      f.most_waiting = std::max(f.most_waiting, f.flooded.waiting());
      f.clock.advance(1ms);
    }
    f.flow();

    // It works on at the rate it can, and refuses the rest.
    CHECK(f.sent >= milliseconds * 9);
    CHECK(f.flooded.counters().started >= milliseconds * 9 / 10);
    CHECK(f.refused + f.flooded.counters().started + f.flooded.waiting() == f.sent);

    // Memory: what waits, and copies of what runs and of what is being sent.
    CHECK(f.most_waiting == mailbox);
    CHECK(payload::most <= static_cast<int>(mailbox) + 3 + flooders);

    // A refusal is the outcome of the call itself: nothing else ran meanwhile.
    CHECK(f.refused_after_waiting == 0);

    // With k runnable strands, at most k - 1 turns begin between posting to one of them and the end of its first entry, its
    // own turn among them; a turn has at most strand::batch entries, and what was left of the poster's comes before.
    CHECK(f.other_called >= milliseconds * 9 / 10);
    CHECK(f.most_turns == runnable - 1);  // it comes to that here
    CHECK(f.most_entries <= (runnable - 1) * weft::strand::batch + 1);

    for (auto& s : f.sources) s->stop_and_wait();
    f.client.stop_and_wait();
    f.other.stop_and_wait();
    f.flooded.stop_and_wait(weft::stop_mode::abort);
    CHECK(payload::alive == 0);
  }
}
