// What does it cost to make, await and destroy a task?
#include <benchmark/benchmark.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <tuple>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/task.hpp>

namespace {

// Not inlined, so that the frame is really made.
[[gnu::noinline]] weft::task<int> leaf(int n) { co_return n; }
[[gnu::noinline]] weft::task<weft::result<int>> good(int n) { co_return n; }
[[gnu::noinline]] weft::task<weft::result<int>> bad() { co_return weft::aborted(""); }
[[gnu::noinline]] weft::task<weft::result<int>> passes_on() { co_return co_await weft::ok(bad()); }

void task_create_await_destroy(benchmark::State& state) {
  weft::runtime rt;
  weft::sync_wait(rt, [](benchmark::State* state) -> weft::task<> {
    int n = 0;
    for (auto _ : *state) benchmark::DoNotOptimize(n += co_await leaf(1));
  }(&state));
}
BENCHMARK(task_create_await_destroy);

// The same with Boost.Asio's coroutines.
[[gnu::noinline]] boost::asio::awaitable<int> asio_leaf(int n) { co_return n; }

void peer_asio_awaitable(benchmark::State& state) {
  boost::asio::io_context io{1};
  boost::asio::co_spawn(
      io,
      [](benchmark::State* state) -> boost::asio::awaitable<void> {
        int n = 0;
        for (auto _ : *state) benchmark::DoNotOptimize(n += co_await asio_leaf(1));
      }(&state),
      boost::asio::detached);
  io.run();
}
BENCHMARK(peer_asio_awaitable);

void ok_of_a_value(benchmark::State& state) {
  weft::runtime rt;
  std::ignore = weft::sync_wait(rt, [](benchmark::State* state) -> weft::task<weft::status> {
    int n = 0;
    for (auto _ : *state) benchmark::DoNotOptimize(n += co_await weft::ok(good(1)));
    co_return weft::status{};
  }(&state));
}
BENCHMARK(ok_of_a_value);

void ok_of_an_error_through_two_tasks(benchmark::State& state) {
  weft::runtime rt;
  weft::sync_wait(rt, [](benchmark::State* state) -> weft::task<> {
    for (auto _ : *state) {
      auto r = co_await passes_on();
      benchmark::DoNotOptimize(r);
    }
  }(&state));
}
BENCHMARK(ok_of_an_error_through_two_tasks);

}  // namespace
