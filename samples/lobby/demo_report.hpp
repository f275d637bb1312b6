#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <weft/runtime/result.hpp>

#include "lobby/v1/topology.pb.h"

namespace lobby {

/// How the gate reaches the other services.
enum class binding { local, unary, session };

/// The ways to handle a player's messages, and to call, that the demo compares.
struct way {
  v1::Handling handling;
  lobby::binding binding;
  const char* key;    // in JSON
  const char* title;  // in the table
};
inline constexpr std::array<way, 5> ways{{
    {v1::QUEUE, binding::session, "queue", "one queue a player"},
    {v1::SPAWN, binding::session, "spawn", "a task per message"},
    {v1::LANES, binding::local, "lanes_local", "weft lanes, local"},
    {v1::LANES, binding::unary, "lanes_unary", "weft lanes, unary"},
    {v1::LANES, binding::session, "lanes", "weft lanes, session"},
}};

/// What a server process says when it ends; or the sum of several.
struct left_over {
  std::int64_t tasks = 0;
  std::int64_t calls = 0;
  std::int64_t fds = 0;

  bool nothing() const { return tasks == 0 && calls == 0 && fds == 0; }
};
/// Reads "left tasks=0 calls=0 fds=0".
std::optional<left_over> parse_left_over(const std::string& line);

/// What the robots found in one run.
struct run_result {
  std::uint64_t games = 0;
  std::uint64_t commands = 0;
  double card_p50_ms = 0;
  double card_p99_ms = 0;
  double chat_p50_ms = 0;
  std::uint64_t pairs = 0;  // of commands that were sent back to back: the later of two can overtake
  std::uint64_t overtaken = 0;
  std::uint64_t errors = 0;               // of cards and of chat
  std::vector<std::string> complaints{};  // what the errors were
};
/// Reads what robots write to --json. Errors: INVALID_ARGUMENT.
weft::result<run_result> parse_run_result(const std::string& json);

struct demo_report {
  std::array<run_result, ways.size()> runs;  // as in `ways`
  left_over left;                            // by all server processes of all runs
  std::vector<std::string> left_by;          // who left something, and what
  std::string dump_line;                     // a player that is suspended in a call to chat
  bool small_load = false;                   // fewer robots, or for a shorter time, than by default
};

std::string to_table(const demo_report& report);
/// {"queue":{…},"spawn":{…},"lanes_local":{…},…,"lanes":{"games":…,"card_p50_ms":…,…}}
std::string to_json(const demo_report& report);

/// What the table promises: with lanes no card waits for chat (p99 below most_card_p99_ms) or is overtaken, with one queue
/// cards wait (p99 above least_queued_p99_ms), with a task per message some are overtaken, and nothing is left. Returns
/// what of it is not so.
inline constexpr double most_card_p99_ms = 10;
inline constexpr double least_queued_p99_ms = 150;
std::vector<std::string> broken_promises(const demo_report& report);

/// What the table could not show because the load was smaller than the default one, and how to see it. Of so few pairs of
/// commands all may keep their order by chance: each does with about 2 in 3.
inline constexpr std::uint64_t enough_pairs = 30;
std::vector<std::string> not_shown(const demo_report& report);

}  // namespace lobby
