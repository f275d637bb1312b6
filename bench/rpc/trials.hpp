#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>
#include <weft/bench/rpc/measure.hpp>

// Suites whose figures are their own: each trial is a function in a new process that gives figures by name.

namespace weft::bench {

using figures = std::map<std::string, double>;

struct trial_options {
  double seconds = 1;       ///< A trial that runs for a time runs so long.
  std::uint64_t calls = 0;  ///< One that counts makes so many; 0 where the suite does not say.
};

/// One contestant at one setting.
struct trial {
  std::string name;
  bool peer = false;  // not weft
  int concurrency = 0;
  /// Throws when there is anything wrong; then the row is void.
  std::function<figures(const trial_options&)> run;
  /// Instead of `run`: a program of another language that says the same lines, with its arguments. It gets `--seconds S
  /// --calls N` too. A row whose program is not built is left out, and named on stderr.
  std::vector<std::string> program = {};
};

struct trial_row {
  std::string name;
  bool peer = false;
  int concurrency = 0;
  std::map<std::string, spread> of;
  std::string error;  // the row is void
};

struct trial_suite {
  std::string_view suite;
  std::string_view question;
  std::vector<trial> all;
  std::string_view figure;  ///< The one by which rows of equal concurrency are compared with the first of them.
  int rounds = 5;
  double seconds = 1;
  double quick_seconds = 0.3;
  std::uint64_t calls = 0;        ///< 0: the suite has no --calls.
  std::uint64_t quick_calls = 0;  ///< With --quick.
  /// By name: processes that a trial starts with `child_process{{suite, "--serve", name}}`, and "--with", text for
  /// `parent_link::with`.
  std::map<std::string, std::function<void(parent_link&)>> servers = {};
  /// What is wrong with the rows, one line each, when none is void; any makes the exit code 1.
  std::function<std::vector<std::string>(const std::vector<trial_row>&)> verdict = {};
};

/// What the program does when it is started for this suite. Returns the exit code.
int run_trials(const trial_suite& s, std::span<char* const> arguments);

/// Rows by name and concurrency; null when there is none.
const trial_row* find_row(const std::vector<trial_row>& rows, std::string_view name, int concurrency = -1);

/// p50_us, p99_us and max_us of a histogram.
void add_latency(figures& f, const latency_histogram& h);

/// Beside this program, in the folder peers/.
std::string peer_program(std::string_view name);

}  // namespace weft::bench
