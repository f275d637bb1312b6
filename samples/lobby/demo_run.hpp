#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>
#include <weft/runtime/result.hpp>

#include "lobby/child_process.hpp"
#include "lobby/demo_report.hpp"

namespace lobby {

struct demo_options {
  std::uint64_t seconds = 10;
  std::uint64_t robots = 32;
  std::uint64_t seed = 1;
};

/// A lobby of three processes and robots that play there, from start to end; the programs are those next to this one.
class demo_run {
 public:
  static constexpr std::uint64_t chat_delay_ms = 200;
  static constexpr std::chrono::milliseconds time_to_start = std::chrono::seconds{10};
  static constexpr std::chrono::milliseconds time_to_stop = std::chrono::seconds{10};
  /// What robots may take beyond the time they play.
  static constexpr std::chrono::milliseconds time_to_finish = std::chrono::seconds{30};

  demo_run(child_processes& children, demo_options options) : children_{children}, options_{options} {}

  /// Adds what is left to `report`, and with lanes a line of the gate's dump. Shows on stderr how it goes.
  /// Errors: UNAVAILABLE (a process did not start, fell over, did not end in order; says which and what it said last),
  /// CANCELLED (this program was interrupted). Either way nothing runs any more afterwards.
  weft::result<run_result> run(const way& how, demo_report& report);

 private:
  class temporary_folder;

  weft::status start_lobby(const way& how, const std::filesystem::path& folder);
  weft::status play(const way& how, const std::filesystem::path& result_file, demo_report& report);
  weft::status stop_lobby(const way& how, demo_report& report);
  void look_for_suspended_player(child_process& gate, demo_report& report);
  weft::status wait_until_ready(child_process& server);

  child_processes& children_;
  demo_options options_;
  std::string gate_address_;
  std::vector<child_process*> servers_;
};

}  // namespace lobby
