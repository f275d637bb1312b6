#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "lobby/latency.hpp"

namespace lobby {

/// What robots count while they play. For one strand.
struct tally {
  std::uint64_t games = 0;  // played to their end
  std::uint64_t commands = 0;
  std::uint64_t says = 0;
  std::uint64_t lines_heard = 0;
  std::uint64_t pairs = 0;                           // of commands that were sent back to back
  std::uint64_t overtaken = 0;                       // commands that were played before one that was sent earlier
  std::uint64_t errors = 0;                          // refused commands, and failed ones
  std::map<std::string, std::uint64_t> chat_errors;  // by code, such as "DEADLINE_EXCEEDED"
  std::uint64_t robots_failed = 0;                   // ended early: lost the connection, got no answer
  std::string first_failure;
  std::map<std::string, std::uint64_t> complaints;  // what errors said; at most most_complaints different ones
  latency card;                                     // from sending a command to its answer
  latency chat;

  static constexpr std::size_t most_complaints = 16;
  void error(const std::string& what);
  void complain(const std::string& what);
};

/// One line of JSON: {"games":…,"commands":…,"says":…,"card_p50_ms":…,…}.
std::string to_json(const tally& t);
/// A few lines for people.
std::string to_text(const tally& t);
/// Less than a line, for showing how it goes.
std::string progress_of(const tally& t);

}  // namespace lobby
