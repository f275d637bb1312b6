#pragma once
#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What every benchmark of calls needs, whoever is measured. Nothing here knows gRPC.

namespace weft::bench {

/// Latencies in a log-linear histogram: exact below 128 ns, then 64 steps an octave, so a percentile is at most
/// 1/64 off.
class latency_histogram {
 public:
  void add(std::chrono::nanoseconds latency) noexcept;

  /// The latency that `percent` of all calls did not exceed, as the middle of its step. 0 when there are none.
  std::chrono::nanoseconds percentile(double percent) const noexcept;

 private:
  static constexpr int step_bits = 6;
  static constexpr int octaves = 40 - step_bits;  // up to 2^40 ns, 18 minutes; what is longer counts as that

  std::array<std::uint64_t, std::size_t{octaves + 1} << step_bits> counts_{};
  std::uint64_t total_ = 0;
};

/// CPU time that all threads of process `pid` have used, 0 being this process. Throws std::system_error when there
/// is no such process.
std::chrono::nanoseconds process_cpu_time(pid_t pid = 0);

/// What the threads of a process have done so far; those that have ended count with their CPU time only.
struct process_work {
  std::chrono::nanoseconds cpu{};
  std::uint64_t wake_ups = 0;  ///< How often one of them slept, and was woken.
};
/// Throws when there is no such process.
process_work work_of(pid_t pid);
std::vector<pid_t> children_of(pid_t pid);

/// What has crossed the loopback since the machine started, whoever sent it.
std::uint64_t loopback_bytes();

/// Keeps the calling thread, and those that it starts from now on, on one core. Throws std::system_error.
void pin_to_core(int core);
inline constexpr int client_core = 0;
inline constexpr int server_core = 1;

/// One round of one contestant. Void when there was any error: a dead server makes a client fast.
struct run_result {
  std::uint64_t calls = 0;  // completed inside the measured window
  double seconds = 0;       // length of that window
  double p50_us = 0;
  double p99_us = 0;
  double cpu_us_client = 0;  // per call, all threads of the process
  double cpu_us_server = 0;
  double wire_bytes = 0;          // per call, both ways, with the headers of TCP and IP: all that crossed the loopback
  double allocations_client = 0;  // per call; 0 unless they were counted
  double allocations_server = 0;
  std::uint64_t errors = 0;  // of the whole run, warm-up and drain too
  std::string error;         // the first of them

  double calls_per_second() const noexcept { return seconds > 0 ? static_cast<double>(calls) / seconds : 0; }
};

/// One line, without its end, and back. Throws std::runtime_error for text that is no such line.
std::string to_line(const run_result& result);
run_result run_result_from_line(std::string_view line);

/// How long a closed loop runs, and the process that answers it.
struct load {
  std::chrono::nanoseconds warm_up;
  std::chrono::nanoseconds measured;
  pid_t server = 0;                                                // whose CPU time counts as the server's
  std::function<std::array<std::uint64_t, 2>()> allocations = {};  // of client and server so far; may be empty
};

/// Says when a closed loop of calls is warm and when it is over, and records the time between. Every contestant's
/// client reports each call here, so that all pay the same for being measured: one reading of the clock a call.
/// One thread.
class closed_loop {
 public:
  using clock = std::chrono::steady_clock;

  explicit closed_loop(const load& load);

  /// A call that began at `began` got the right reply. Moves `began` to now, when the next call in its place
  /// begins; false when the run is over and no call must be started.
  bool succeeded(clock::time_point& began);

  /// A call failed: the run is void and over.
  void failed(std::string_view why);

  /// Requires: the run is over.
  run_result result() const;

 private:
  enum class phase : std::uint8_t { warming_up, measuring, over };

  struct sample {
    clock::time_point time;
    std::chrono::nanoseconds client_cpu;
    std::chrono::nanoseconds server_cpu;
    std::uint64_t wire_bytes;
    std::array<std::uint64_t, 2> allocations;
  };

  sample take_sample(clock::time_point now);

  load load_;
  clock::time_point warm_at_;
  phase phase_ = phase::warming_up;
  std::uint64_t calls_ = 0;
  latency_histogram latencies_;
  sample first_{};
  sample last_{};
  std::uint64_t errors_ = 0;
  std::string error_;
};

/// A process of this program with other arguments. Its standard input is held open until stop(), as the sign to go
/// on; its standard output is read line by line; it shares standard error and inherits no other file.
class child_process {
 public:
  /// Starts /proc/self/exe with `arguments`. Throws std::system_error.
  explicit child_process(const std::vector<std::string>& arguments);
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  /// Kills what stop() was not called for.
  ~child_process();

  pid_t pid() const noexcept { return pid_; }

  /// The next line of its output, without the line's end. Throws std::runtime_error when there is none within
  /// `patience`, or no more.
  std::string read_line(std::chrono::milliseconds patience);

  /// Closes its input and waits until it has exited, with SIGTERM and at last SIGKILL if it does not.
  /// Empty when it exited with 0 of its own; otherwise how it ended.
  std::string stop();

 private:
  bool exits_within(std::chrono::milliseconds patience) const;
  int wait_for_exit();

  pid_t pid_ = -1;  // -1 once it was waited for
  int process_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string unread_;
};

/// The other end of a child_process that serves.
class parent_link {
 public:
  /// Tells the parent the port on which this process answers.
  void announce(int port);
  /// Blocks until the parent calls stop() or dies.
  void wait_until_released();

  std::string with;  ///< What the parent said to this one server.
};
/// The port that a child announces. Throws std::runtime_error when it does not.
int announced_port(child_process& server, std::chrono::milliseconds patience);

/// Calls `run` with 0 to contestants-1, `rounds` times over: A B A B, so that a drift of the machine meets all alike.
void interleave(std::size_t contestants, int rounds, const std::function<void(std::size_t contestant)>& run);

struct spread {
  double median = 0;
  double min = 0;
  double max = 0;
};
/// Requires: not empty.
spread spread_of(std::vector<double> values);

/// All rounds of one contestant at one concurrency.
struct row {
  std::string name;
  bool peer = false;  // not weft
  int concurrency = 0;
  spread calls_per_second;
  double p50_us = 0;  // these are medians over the rounds
  double p99_us = 0;
  double cpu_us_client = 0;
  double cpu_us_server = 0;
  double wire_bytes = 0;
  double allocations_client = 0;  // 0 unless they were counted
  double allocations_server = 0;
  std::map<std::string, double> ratio;  // of the median calls per second to another row's, by that row's name
  std::optional<std::string> error;     // the row is void, and the figures are not to be used
};
/// Requires: not empty. The row is void when one of the rounds is.
row row_of(std::string name, bool peer, int concurrency, const std::vector<run_result>& rounds);

struct report {
  std::string suite;
  std::string machine;
  std::map<std::string, std::string> versions;
  std::vector<row> rows;
  std::string why_void;  ///< The whole run is void, and its figures are not to be quoted.
};
/// As JSON writes it, in quotes.
std::string json_string(std::string_view text);
/// A void row has its error and no figures; a void run says why, and keeps its figures.
void write_json(std::ostream& out, const report& report);
/// One line a row; `base` names the contestant whose ratio the last column shows.
void write_table(std::ostream& out, const report& report, const std::string& base);

/// The processor, how many of them, and the kernel.
std::string describe_machine();

}  // namespace weft::bench
