#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>
#include <weft/bench/rpc/measure.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>

#include "lobby.weft.hpp"

// Steps of 64 players, and at the server how many of them came out of order.

namespace weft::bench {

inline constexpr int players = 64;

/// Serves bench.v1.Lobby until the parent lets go; handlers end after up to `most_delay`, at random.
void serve_lobby(parent_link& parent, duration most_delay);

/// Of a player: where its two kinds of steps go, which may be the same.
struct player_clients {
  ::bench::v1::Lobby::client join, play;
};

struct steps_load {
  std::uint64_t calls = 1'000'000;
  int ahead = 64;  ///< Steps that a player has out: it does not wait for the replies.
  std::size_t payload = 0;
};

/// Starts steps of all players, Join and Play in turn, and waits for all replies. The figures: calls_per_s, p50_us, p99_us,
/// max_us, inversions and lost. Throws when a call failed.
figures run_steps(rpc_runtime& rt, const ::bench::v1::Lobby::client& tally, std::vector<player_clients> clients,
                  const steps_load& load);

}  // namespace weft::bench
