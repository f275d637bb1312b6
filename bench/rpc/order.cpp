#include <weft/bench/rpc/lobby_calls.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/rpc/peer.hpp>

// R10: who keeps the order of a player's calls? A million steps of 64 players, each with 64 steps out, to handlers of random
// length; an inversion is a step whose handler begins after that of a later step of its player.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Lobby;

constexpr auto most_delay = 2ms;
constexpr std::string_view by_player = "weft session, ordered by player";

struct server_process {
  child_process process{{"order", "--serve", "lobby"}};
  std::string address = "127.0.0.1:" + std::to_string(announced_port(process, 10s));
};

figures unary(const trial_options& o, int connections) {
  server_process server;
  rpc_runtime rt;
  peer to{rt, server.address, {.connections = connections}};
  const Lobby::client all{to};
  return run_steps(rt, all, {players, {all, all}}, {.calls = o.calls});
}

template <class KeyOf>
figures over_session(const trial_options& o, KeyOf lanes) {
  server_process server;
  rpc_runtime rt;
  peer to{rt, server.address};
  session first{to}, second{to};
  std::vector<player_clients> clients;
  for (std::uint64_t i = 1; i <= players; ++i) clients.push_back(lanes(first, second, i));
  return run_steps(rt, Lobby::client{to}, std::move(clients), {.calls = o.calls});
}

std::vector<std::string> verdict(const std::vector<trial_row>& rows) {
  std::vector<std::string> wrong;
  for (const auto& r : rows)
    if (r.of.at("lost").max > 0 || r.of.at("twice").max > 0)
      wrong.push_back(r.name + ": calls were lost, or ran twice");
  if (const auto* ours = find_row(rows, by_player); ours != nullptr && ours->of.at("inversions").max > 0)
    wrong.push_back("a session ordered by player inverted calls");
  return wrong;
}

}  // namespace

int run_order(std::span<char* const> arguments) {
  const auto player = [](const session& s, const session&, std::uint64_t i) -> player_clients {
    const Lobby::client to{s.ordered(i)};
    return {to, to};
  };
  const auto method = [](const session& s, const session&, std::uint64_t) -> player_clients {
    return {Lobby::client{s.ordered("Join")}, Lobby::client{s.ordered("Play")}};
  };
  const auto session_a_method = [](const session& join, const session& play, std::uint64_t) -> player_clients {
    return {Lobby::client{join.ordered("Join")}, Lobby::client{play.ordered("Play")}};
  };
  const trial_suite suite{
      .suite = "order",
      .question = "Which calls of a player are overtaken by later ones, for each way to send them? (R10)",
      .all =
          {
              {std::string{by_player}, false, players, [&](const auto& o) { return over_session(o, player); }},
              {"weft unary, one connection", false, players, [](const auto& o) { return unary(o, 1); }},
              {"weft unary, 4 connections", false, players, [](const auto& o) { return unary(o, 4); }},
              {"weft session, ordered by method", false, players,
               [&](const auto& o) { return over_session(o, method); }},
              {"a session for each method", false, players,
               [&](const auto& o) { return over_session(o, session_a_method); }},
          },
      .figure = "calls_per_s",
      .rounds = 1,
      .calls = 1'000'000,
      .quick_calls = 50'000,
      .servers = {{"lobby", [](parent_link& parent) { serve_lobby(parent, most_delay); }}},
      .verdict = verdict};
  return run_trials(suite, arguments);
}

}  // namespace weft::bench
