// What does a call between two services of one process cost, on one worker and on two?
#include <benchmark/benchmark.h>

#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

// `outstanding` tasks of the runtime's strand call a service on worker `home`. So many calls an iteration that the two
// wake-ups of its sync_wait (about 50 us) do not show.
void local_calls(benchmark::State& state, int workers, int home, weft::duration spin) {
  weft::runtime rt{{.workers = workers, .spin = spin}};
  weft::service service{rt, {.name = "echo", .worker = home, .mailbox = 100'000}};
  const auto outstanding = static_cast<int>(state.range(0));
  const int batch = 128'000 / outstanding;
  std::uint64_t calls = 0;
  for (auto _ : state) {
    weft::sync_wait(rt, weft::with_scope(
                            [](weft::service* s, int outstanding, int batch, weft::scope& scope) -> weft::task<> {
                              auto caller = [](weft::service* s, int calls) -> weft::task<> {
                                int n = 0;
                                for (int i = 0; i < calls; ++i) {
                                  auto r = co_await s->call([i] { return i; });
                                  benchmark::DoNotOptimize(n += *r);
                                }
                              };
                              for (int i = 0; i < outstanding; ++i) std::ignore = scope.start(caller, s, batch);
                              co_return;
                            },
                            &service, outstanding, batch));
    calls += static_cast<std::uint64_t>(outstanding) * batch;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(calls));
  state.counters["ns_per_call"] =
      benchmark::Counter(static_cast<double>(calls) * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  service.stop_and_wait();
}

void local_call_one_worker(benchmark::State& state) { local_calls(state, 1, 0, {}); }
BENCHMARK(local_call_one_worker)->Arg(1)->Arg(64)->UseRealTime();

void local_call_two_workers_spinning(benchmark::State& state) {
  local_calls(state, 2, 1, std::chrono::microseconds{50});
}
BENCHMARK(local_call_two_workers_spinning)->Arg(1)->Arg(64)->UseRealTime();

void local_call_two_workers_sleeping(benchmark::State& state) { local_calls(state, 2, 1, {}); }
BENCHMARK(local_call_two_workers_sleeping)->Arg(1)->Arg(64)->UseRealTime();

}  // namespace
