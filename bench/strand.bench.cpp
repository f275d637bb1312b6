// What does it cost to hand work to a strand, and to change strands?
#include <benchmark/benchmark.h>

#include <weft/runtime/resume_on.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>

namespace {

struct nothing final : weft::work {
  void run() noexcept override {}
};

void post_from_another_thread(benchmark::State& state) {
  weft::runtime rt;
  weft::strand s{rt};
  static nothing burst[64];
  for (auto _ : state) {
    for (auto& w : burst) s.post(w);
    weft::visit(rt.worker_at(0), [] {});
  }
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(post_from_another_thread)->UseRealTime();

// From one strand's queue to its end and back: a post to the own strand, and a resumption.
void yield_round_trip(benchmark::State& state) {
  weft::runtime rt;
  weft::sync_wait(rt, [](benchmark::State* state) -> weft::task<> {
    for (auto _ : *state) co_await weft::yield{};
  }(&state));
}
BENCHMARK(yield_round_trip);

// To another strand and back: on the same worker, and on another that sleeps or spins.
void hop(benchmark::State& state, int worker, weft::duration spin) {
  weft::runtime rt{{.workers = 2, .spin = spin}};
  weft::strand there{rt, {.worker = worker}};
  weft::sync_wait(rt, [](benchmark::State* state, weft::runtime* rt, weft::strand* there) -> weft::task<> {
    for (auto _ : *state) {
      co_await weft::resume_on(*there);
      co_await weft::resume_on(rt->control());
    }
  }(&state, &rt, &there));
}
void hop_same_worker(benchmark::State& state) { hop(state, 0, {}); }
BENCHMARK(hop_same_worker)->UseRealTime();
void hop_other_worker_spinning(benchmark::State& state) { hop(state, 1, std::chrono::microseconds{50}); }
BENCHMARK(hop_other_worker_spinning)->UseRealTime();
void hop_other_worker_sleeping(benchmark::State& state) { hop(state, 1, {}); }
BENCHMARK(hop_other_worker_sleeping)->UseRealTime();

}  // namespace
