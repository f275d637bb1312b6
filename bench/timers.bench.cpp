// What does a timer cost that is armed and cancelled, as that of nearly every call is?
#include <benchmark/benchmark.h>

#include <memory>
#include <random>
#include <vector>
#include <weft/runtime/timer_wheel.hpp>

namespace {

using namespace std::chrono_literals;

struct silent final : weft::timer {
  void expired() noexcept override {}
};

void timer_arm_cancel(benchmark::State& state) {
  const weft::time_point start{1h};
  weft::timer_wheel wheel{start};
  silent t;
  for (auto _ : state) {
    wheel.arm(t, start + 5s);
    t.cancel();
  }
}
BENCHMARK(timer_arm_cancel);

// 100,000 pending timers, and every arming reaches the wheel.
void timer_arm_settle_cancel(benchmark::State& state) {
  const weft::time_point start{1h};
  weft::timer_wheel wheel{start};
  std::mt19937 random{1};
  std::vector<std::unique_ptr<silent>> pending;
  for (int i = 0; i < 100'000; ++i) {
    pending.push_back(std::make_unique<silent>());
    wheel.arm(*pending.back(), start + std::chrono::milliseconds{1 + random() % 60'000});
  }
  silent t;
  for (auto _ : state) {
    wheel.arm(t, start + 5s);
    benchmark::DoNotOptimize(wheel.next_due());
    t.cancel();
  }
}
BENCHMARK(timer_arm_settle_cancel);

}  // namespace
