#include <malloc.h>

#include <string>
#include <tuple>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sync_wait.hpp>

// What does a player cost in memory that waits: for nothing but a word, and for a call whose handler waits?

namespace weft::bench {
namespace {

constexpr std::size_t players = 100'000;

std::size_t in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

task<status> held_up(event* go) { co_return co_await go->wait(); }

// Two calls deep, as the peers are.
task<int> await_word(event* go) {
  const auto s = co_await go->wait();
  co_return s.ok() ? 1 : 0;
}
task<> waiting_player(service*, event* go, std::string name, std::size_t* waiting) {
  ++*waiting;
  const auto n = co_await await_word(go);
  if (name.empty() && n == 0) std::terminate();
}
task<> calling_player(service* to, event* go, std::string name, std::size_t* waiting) {
  ++*waiting;
  auto handler = [go] { return held_up(go); };
  const auto reply = co_await to->call(handler, within{std::chrono::hours{1}});
  if (name.empty() && reply.ok()) std::terminate();
}

// So many of the calls have a handler that waits; the others wait in the mailbox.
template <auto Player, std::size_t Handlers>
figures bytes_of(const trial_options&) {
  runtime rt;
  service to{rt,
             {.name = "chat",
              .reentrancy = Handlers == 1 ? reentrancy::exclusive : reentrancy::interleaved,
              .mailbox = 1'000'000,
              .running = 1'000'000}};
  event go;
  double bytes = 0;
  auto body = [](service* to, event* go, double* bytes, scope& s) -> task<> {
    std::size_t waiting = 0;
    const auto before = in_use();
    for (std::size_t i = 0; i < players; ++i)
      std::ignore = s.start(Player, to, go, "player " + std::to_string(i), &waiting);
    while (waiting < players || to->running() < Handlers) co_await yield{};
    *bytes = static_cast<double>(in_use() - before) / static_cast<double>(players);
    go->set();
  };
  sync_wait(rt, with_scope(body, &to, &go, &bytes));
  to.stop_and_wait();
  return {{"bytes", bytes}};
}

}  // namespace

int run_memory(std::span<char* const> arguments) {
  return run_trials(
      {.suite = "memory",
       .question = "Bytes of a suspended player, of 100,000 that wait.",
       .all = {{"weft player", false, 1, bytes_of<&waiting_player, 0>},
               {"weft player, with a call that waits in the mailbox", false, 1, bytes_of<&calling_player, 1>},
               {"weft player, with its call and the handler that waits", false, 1, bytes_of<&calling_player, players>},
               {"goroutine", true, 1, {}, {peer_program("go-peer"), "memory"}},
               {"fiber of Boost", true, 1, {}, {peer_program("fiber-peer"), "memory"}}},
       .figure = "bytes",
       .rounds = 3},
      arguments);
}

}  // namespace weft::bench
