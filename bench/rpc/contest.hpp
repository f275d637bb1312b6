#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <weft/bench/rpc/measure.hpp>
#include <weft/bench/rpc/yardstick.hpp>

// Contestants that answer the same question, in turns: closed loops of calls, the client on core 0 and the server on
// core 1. Both sides of every round are new processes, so no contestant inherits another's settings or memory, and the
// process that starts them never touches gRPC.

namespace weft::bench {

/// Longer than any call takes on a healthy machine.
inline constexpr std::chrono::seconds call_deadline{5};

struct call_setup {
  std::string target;
  int outstanding = 1;
  std::size_t payload = 32;
  bench::load load;
};

struct contestant {
  std::string_view name;
  bool peer;  // not weft
  /// Listens, announces its port, and serves until the parent lets go. In a process of its own, on the server's core.
  void (*serve)(parent_link& parent);
  /// Keeps calls outstanding and reports each to a closed_loop. In a process of its own, on the client's core.
  run_result (*call)(const call_setup& setup);
  /// The program in peers/ that both become; null: none. The contestant is left out where it is not built.
  const char* program = nullptr;
};

struct contest {
  std::string_view suite;                   ///< As it is named on the command line.
  std::string_view question;                ///< For --help.
  std::span<const contestant> contestants;  ///< In the order of their turns; the others are compared with the first.
  std::span<const int> concurrencies;
  std::span<const std::size_t> payloads;  ///< The first unless the command line says another.
  int rounds = 5;
  bench::yardstick yardstick = {};  ///< What the run must show before it counts.
};

/// What the program does when it is started for this suite: all of it, or one side of one round. Returns the exit code.
int run_contest(const contest& c, std::span<char* const> arguments);

}  // namespace weft::bench
