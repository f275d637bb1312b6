#pragma once
#include <cstdint>
#include <string>
#include <vector>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/task.hpp>

#include "lobby/tally.hpp"

namespace lobby {

struct robots_options {
  std::string address = "127.0.0.1:7000";
  int robots = 32;
  std::uint64_t seed = 1;
  weft::duration time = std::chrono::seconds{10};
  /// What a game may take to end after that.
  weft::duration grace = std::chrono::seconds{5};
};

/// For each robot, how many seats its tables have. There are as many for tables of k seats as fill such tables, so nobody
/// is left over. Requires: robots >= 2.
std::vector<std::uint32_t> table_sizes(int robots, std::uint64_t seed);

/// Lets robots play, each on a connection of its own, all on `home`, and counts what happens. `time` is `home`'s clock.
/// Cancel: all leave; what was counted stays. Errors: UNAVAILABLE (could not connect: nobody goes on), CANCELLED. Robots
/// that fail later are counted, the others play on.
weft::task<weft::status> play(weft::io& sockets, weft::strand& home, const weft::clock& time, robots_options options,
                              tally& counts);

}  // namespace lobby
