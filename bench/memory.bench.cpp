// How much memory does a suspended player cost that awaits a call?
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

std::size_t in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

weft::task<weft::status> held_up(weft::event* go) { co_return co_await go->wait(); }

// Players in a scope; each awaits a call whose handler is held up by an event.
void bytes_per_suspended_player(benchmark::State& state) {
  const auto players = static_cast<std::size_t>(state.range(0));
  double bytes_player = 0, bytes_all = 0;
  for (auto _ : state) {
    weft::runtime rt;
    weft::service service{rt, {.name = "chat", .mailbox = 1'000'000, .running = 1'000'000}};
    weft::event go;
    struct figures {
      std::size_t before, started, waiting;
    } f{};
    weft::sync_wait(
        rt,
        weft::with_scope(
            [](weft::service* s, weft::event* go, std::size_t players, figures* f, weft::scope& scope) -> weft::task<> {
              auto player = [](weft::service* s, weft::event* go, std::string name) -> weft::task<> {
                auto r = co_await s->call([go] { return held_up(go); }, weft::within{std::chrono::hours{1}});
                benchmark::DoNotOptimize(r);
                benchmark::DoNotOptimize(name);
              };
              f->before = in_use();
              for (std::size_t i = 0; i < players; ++i)
                std::ignore = scope.start(player, s, go, "player " + std::to_string(i));
              f->started = in_use();
              while (s->running() < players) co_await weft::yield{};
              f->waiting = in_use();
              go->set();
            },
            &service, &go, players, &f));
    service.stop_and_wait();
    bytes_player = static_cast<double>(f.started - f.before) / static_cast<double>(players);
    bytes_all = static_cast<double>(f.waiting - f.before) / static_cast<double>(players);
  }
  state.counters["bytes_player"] = bytes_player;  // the player's task with its context
  state.counters["bytes_with_call"] = bytes_all;  // and the call with its running handler
}
BENCHMARK(bytes_per_suspended_player)->Arg(100'000)->Iterations(3)->Unit(benchmark::kMillisecond);

}  // namespace
