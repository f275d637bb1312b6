#include <weft/bench/rpc/lobby_calls.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/rpc/peer.hpp>

// R11: what does a pool of connections bring, used in turn as nano's rpcclient does, to a server that enqueues a step and
// answers? Beside it one session, which keeps the order.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Lobby;

constexpr std::size_t payload = 32;

struct server_process {
  child_process process{{"pool", "--serve", "lobby"}};
  std::string address = "127.0.0.1:" + std::to_string(announced_port(process, 10s));
};

figures round_robin(const trial_options& o, int connections, int ahead) {
  pin_to_core(client_core);
  server_process server;
  rpc_runtime rt;
  peer to{rt, server.address, {.connections = connections}};
  const Lobby::client all{to};
  return run_steps(rt, all, {players, {all, all}}, {.calls = o.calls, .ahead = ahead, .payload = payload});
}

figures over_session(const trial_options& o, int connections) {
  pin_to_core(client_core);
  server_process server;
  rpc_runtime rt;
  std::vector<std::unique_ptr<peer>> peers;
  std::vector<session> sessions;
  for (int i = 0; i < connections; ++i) {
    peers.push_back(
        std::make_unique<peer>(rt, server.address, peer_options{.arguments = {{"weft.bench.connection", i}}}));
    sessions.emplace_back(*peers.back());
  }
  std::vector<player_clients> clients;
  for (std::uint64_t i = 1; i <= players; ++i) {
    const Lobby::client to{sessions[i % sessions.size()].ordered(i)};  // a player stays on its session
    clients.push_back({to, to});
  }
  return run_steps(rt, Lobby::client{*peers.front()}, std::move(clients),
                   {.calls = o.calls, .ahead = 8, .payload = payload});
}

}  // namespace

int run_pool(std::span<char* const> arguments) {
  std::vector<trial> all;
  for (const int n : {1, 2, 4, 10}) {
    all.push_back({"unary, connections in turn", false, n, [n](const auto& o) { return round_robin(o, n, 8); }});
    all.push_back({"unary, a player awaits each reply", false, n, [n](const auto& o) { return round_robin(o, n, 1); }});
    all.push_back({"weft session, ordered by player", false, n, [n](const auto& o) { return over_session(o, n); }});
  }
  return run_trials({.suite = "pool",
                     .question =
                         "Throughput, latency and inversions over 1, 2, 4 and 10 connections, 64 players with 8 "
                         "steps out each. (R11)",
                     .all = std::move(all),
                     .figure = "calls_per_s",
                     .rounds = 3,
                     .calls = 100'000,
                     .quick_calls = 10'000,
                     .servers = {{"lobby",
                                  [](parent_link& parent) {
                                    pin_to_core(server_core);
                                    serve_lobby(parent, 0ns);
                                  }}}},
                    arguments);
}

}  // namespace weft::bench
