#include <weft/bench/rpc/measure.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace weft::bench {

namespace {

using namespace std::chrono_literals;

double micros(std::chrono::nanoseconds d) { return std::chrono::duration<double, std::micro>(d).count(); }

[[noreturn]] void throw_system_error(int error, const char* what) {
  throw std::system_error{error, std::system_category(), what};
}

}  // namespace

// Latencies. A value below 2 * 64 is its own step; above, its highest bit chooses the octave, and the six bits
// below that the step.

void latency_histogram::add(std::chrono::nanoseconds latency) noexcept {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
  const int octave = std::max(0, static_cast<int>(std::bit_width(value)) - 1 - step_bits);
  const std::size_t step = (static_cast<std::size_t>(octave) << step_bits) + static_cast<std::size_t>(value >> octave);
  ++counts_[std::min(step, counts_.size() - 1)];
  ++total_;
}

std::chrono::nanoseconds latency_histogram::percentile(double percent) const noexcept {
  const auto wanted = static_cast<double>(total_) * percent / 100;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen == 0 || static_cast<double>(seen) < wanted) continue;
    const auto octave = i >> step_bits <= 1 ? 0 : (i >> step_bits) - 1;
    const auto lowest = (i - (octave << step_bits)) << octave;
    return std::chrono::nanoseconds{lowest + ((std::size_t{1} << octave) >> 1)};
  }
  return 0ns;
}

// Processes and cores.

std::chrono::nanoseconds process_cpu_time(pid_t pid) {
  clockid_t clock{};
  if (const int error = clock_getcpuclockid(pid, &clock)) throw_system_error(error, "CPU clock of a process");
  timespec used{};
  if (clock_gettime(clock, &used) != 0) throw_system_error(errno, "CPU time of a process");
  return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}

process_work work_of(pid_t pid) {
  process_work work{.cpu = process_cpu_time(pid)};
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task"}) {
    std::ifstream status{thread.path() / "status"};
    for (std::string word; status >> word;) {
      if (word == "voluntary_ctxt_switches:" && status >> word) work.wake_ups += std::stoull(word);
    }
  }
  return work;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> found;
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task"}) {
    std::ifstream children{thread.path() / "children"};
    for (pid_t child = 0; children >> child;) found.push_back(child);
  }
  return found;
}

std::uint64_t loopback_bytes() {
  std::ifstream devices{"/proc/net/dev"};
  for (std::string word; devices >> word;) {
    if (word == "lo:" && devices >> word) return std::stoull(word);
  }
  return 0;
}

void pin_to_core(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core), &cores);
  if (sched_setaffinity(0, sizeof cores, &cores) != 0)
    throw_system_error(errno, ("pin to core " + std::to_string(core)).c_str());
}

// One run.

std::string to_line(const run_result& r) {
  std::ostringstream line;
  line << std::setprecision(17) << r.calls << ' ' << r.seconds << ' ' << r.p50_us << ' ' << r.p99_us << ' '
       << r.cpu_us_client << ' ' << r.cpu_us_server << ' ' << r.errors << ' ' << r.wire_bytes << ' '
       << r.allocations_client << ' ' << r.allocations_server << ' ';
  for (const char c : r.error) line << (c == '\n' || c == '\r' ? ' ' : c);
  return std::move(line).str();
}

run_result run_result_from_line(std::string_view line) {
  std::istringstream in{std::string{line}};
  run_result r;
  if (!(in >> r.calls >> r.seconds >> r.p50_us >> r.p99_us >> r.cpu_us_client >> r.cpu_us_server >> r.errors >>
        r.wire_bytes >> r.allocations_client >> r.allocations_server))
    throw std::runtime_error{"not a result: " + std::string{line}};
  std::getline(in >> std::ws, r.error);
  return r;
}

closed_loop::closed_loop(const load& load) : load_{load}, warm_at_{clock::now() + load.warm_up} {}

bool closed_loop::succeeded(clock::time_point& began) {
  const auto now = clock::now();
  const auto latency = now - std::exchange(began, now);
  if (phase_ == phase::measuring) {
    latencies_.add(latency);
    ++calls_;
    if (now < first_.time + load_.measured) return true;
    phase_ = phase::over;
    last_ = take_sample(now);
  } else if (phase_ == phase::warming_up && now >= warm_at_) {
    phase_ = phase::measuring;
    first_ = take_sample(now);
  }
  return phase_ != phase::over;
}

void closed_loop::failed(std::string_view why) {
  if (errors_++ == 0) error_ = why;
  phase_ = phase::over;
}

closed_loop::sample closed_loop::take_sample(clock::time_point now) try {
  return {.time = now,
          .client_cpu = process_cpu_time(),
          .server_cpu = process_cpu_time(load_.server),
          .wire_bytes = loopback_bytes(),
          .allocations = load_.allocations ? load_.allocations() : std::array<std::uint64_t, 2>{}};
} catch (const std::system_error& error) {  // its server is gone; calls are still out, so this must not unwind them
  failed(error.what());
  return {};
}

run_result closed_loop::result() const {
  run_result r{.calls = calls_, .errors = errors_, .error = error_};
  if (errors_ > 0) return r;
  const auto calls = static_cast<double>(calls_);
  r.seconds = std::chrono::duration<double>(last_.time - first_.time).count();
  r.p50_us = micros(latencies_.percentile(50));
  r.p99_us = micros(latencies_.percentile(99));
  r.cpu_us_client = micros(last_.client_cpu - first_.client_cpu) / calls;
  r.cpu_us_server = micros(last_.server_cpu - first_.server_cpu) / calls;
  r.wire_bytes = static_cast<double>(last_.wire_bytes - first_.wire_bytes) / calls;
  r.allocations_client = static_cast<double>(last_.allocations[0] - first_.allocations[0]) / calls;
  r.allocations_server = static_cast<double>(last_.allocations[1] - first_.allocations[1]) / calls;
  return r;
}

// Children. The pipes are close-on-exec from birth; what is not, a file of the standard library, closefrom closes.

child_process::child_process(const std::vector<std::string>& arguments) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0) throw_system_error(errno, "pipe");
  if (pipe2(output, O_CLOEXEC) != 0) {
    const int error = errno;
    close(input[0]), close(input[1]);
    throw_system_error(error, "pipe");
  }

  std::vector<char*> argv{const_cast<char*>("/proc/self/exe")};
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  const int error = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(input[0]), close(output[1]);
  input_ = input[1];
  output_ = output[0];
  process_ = error == 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid_, 0))
                        : -1;  // glibc 2.36 declares pidfd_open without C linkage
  if (error == 0 && process_ >= 0) return;

  const int reason = error != 0 ? error : errno;
  if (error == 0) kill(pid_, SIGKILL), wait_for_exit();
  close(input_), close(output_);
  throw_system_error(reason, "start a child process");
}

child_process::~child_process() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    wait_for_exit();
  }
  if (input_ >= 0) close(input_);
  close(output_);
  close(process_);
}

std::string child_process::read_line(std::chrono::milliseconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      auto line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - std::chrono::steady_clock::now());
    pollfd readable{.fd = output_, .events = POLLIN, .revents = 0};
    const int ready = poll(&readable, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) throw std::runtime_error{"no word from process " + std::to_string(pid_) + " in time"};
    char buffer[4096];
    const auto n = read(output_, buffer, sizeof buffer);
    if (n <= 0) throw std::runtime_error{"process " + std::to_string(pid_) + " ended without a word"};
    unread_.append(buffer, static_cast<std::size_t>(n));
  }
}

std::string child_process::stop() {
  static constexpr auto patience = 5s;
  close(std::exchange(input_, -1));
  std::string had_to;
  if (!exits_within(patience)) {
    had_to = "did not stop when asked";
    kill(pid_, SIGTERM);
    if (!exits_within(patience)) kill(pid_, SIGKILL);
  }
  const int status = wait_for_exit();
  if (!had_to.empty()) return had_to;
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "exited with " + std::to_string(WEXITSTATUS(status));
  return {};
}

bool child_process::exits_within(std::chrono::milliseconds patience) const {
  pollfd exited{.fd = process_, .events = POLLIN, .revents = 0};
  return poll(&exited, 1, static_cast<int>(patience.count())) > 0;
}

int child_process::wait_for_exit() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return status;
}

void parent_link::announce(int port) {
  const auto line = "port " + std::to_string(port) + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) throw_system_error(errno, "announce the port");
}

void parent_link::wait_until_released() {
  char ignored[64];
  for (;;) {
    const auto n = read(STDIN_FILENO, ignored, sizeof ignored);
    if (n == 0 || (n < 0 && errno != EINTR)) return;
  }
}

int announced_port(child_process& server, std::chrono::milliseconds patience) {
  const auto line = server.read_line(patience);
  int port = 0;
  const std::string_view text{line};
  if (!text.starts_with("port ") || std::from_chars(text.data() + 5, text.data() + text.size(), port).ec != std::errc{})
    throw std::runtime_error{"not a port: " + line};
  return port;
}

// Rounds and reports.

void interleave(std::size_t contestants, int rounds, const std::function<void(std::size_t)>& run) {
  for (int round = 0; round < rounds; ++round)
    for (std::size_t contestant = 0; contestant < contestants; ++contestant) run(contestant);
}

spread spread_of(std::vector<double> values) {
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  const auto median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {.median = median, .min = values.front(), .max = values.back()};
}

row row_of(std::string name, bool peer, int concurrency, const std::vector<run_result>& rounds) {
  row r;
  r.name = std::move(name);
  r.peer = peer;
  r.concurrency = concurrency;
  for (const auto& round : rounds) {
    if (round.errors == 0) continue;
    r.error = round.error;
    return r;
  }
  const auto over_rounds = [&rounds](auto&& figure) {
    std::vector<double> values;
    values.reserve(rounds.size());
    for (const auto& round : rounds) values.push_back(std::invoke(figure, round));
    return spread_of(std::move(values));
  };
  r.calls_per_second = over_rounds(&run_result::calls_per_second);
  r.p50_us = over_rounds(&run_result::p50_us).median;
  r.p99_us = over_rounds(&run_result::p99_us).median;
  r.cpu_us_client = over_rounds(&run_result::cpu_us_client).median;
  r.cpu_us_server = over_rounds(&run_result::cpu_us_server).median;
  r.wire_bytes = over_rounds(&run_result::wire_bytes).median;
  return r;
}

std::string json_string(std::string_view text) {
  std::ostringstream out;
  out << '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out << '\\' << c;
    else if (static_cast<unsigned char>(c) < 0x20)
      out << "\\u" << std::hex << std::setw(4) << std::setfill('0') << static_cast<int>(c) << std::dec;
    else out << c;
  }
  out << '"';
  return std::move(out).str();
}

namespace {

void write_json(std::ostream& out, const row& r) {
  out << R"({"name":)" << json_string(r.name) << R"(,"peer":)" << (r.peer ? "true" : "false") << R"(,"concurrency":)"
      << r.concurrency;
  if (r.error) {
    out << R"(,"void":true,"error":)" << json_string(*r.error) << "}";
    return;
  }
  out << std::fixed << std::setprecision(1) << R"(,"calls_per_s":{"median":)" << r.calls_per_second.median
      << R"(,"min":)" << r.calls_per_second.min << R"(,"max":)" << r.calls_per_second.max << "}" << std::setprecision(3)
      << R"(,"p50_us":)" << r.p50_us << R"(,"p99_us":)" << r.p99_us << R"(,"cpu_us_client":)" << r.cpu_us_client
      << R"(,"cpu_us_server":)" << r.cpu_us_server << R"(,"wire_bytes":)" << r.wire_bytes;
  if (r.allocations_client > 0)
    out << R"(,"allocations_client":)" << r.allocations_client << R"(,"allocations_server":)" << r.allocations_server;
  out << R"(,"ratio":{)";
  const char* separator = "";
  for (const auto& [name, ratio] : r.ratio) {
    out << separator << json_string(name) << ":" << ratio;
    separator = ",";
  }
  out << "}}";
}

}  // namespace

void write_json(std::ostream& out, const report& report) {
  out << R"({"suite":)" << json_string(report.suite) << R"(,"machine":)" << json_string(report.machine)
      << R"(,"versions":{)";
  const char* separator = "";
  for (const auto& [name, version] : report.versions) {
    out << separator << json_string(name) << ":" << json_string(version);
    separator = ",";
  }
  out << "}";
  if (!report.why_void.empty()) out << R"(,"void":)" << json_string(report.why_void);
  out << R"(,"rows":[)";
  separator = "\n";
  for (const auto& row : report.rows) {
    out << separator;
    write_json(out, row);
    separator = ",\n";
  }
  out << "\n]}\n";
}

void write_table(std::ostream& out, const report& report, const std::string& base) {
  if (!report.why_void.empty()) out << "VOID, the whole run: " << report.why_void << '\n';
  out << std::left << std::setw(16) << "contestant" << std::right << std::setw(12) << "outstanding" << std::setw(11)
      << "calls/s" << std::setw(11) << "min" << std::setw(11) << "max" << std::setw(10) << "p50 us" << std::setw(10)
      << "p99 us" << std::setw(15) << "client CPU us" << std::setw(15) << "server CPU us"
      << "  of " << base << '\n';
  for (const auto& r : report.rows) {
    out << std::left << std::setw(16) << r.name << std::right << std::setw(12) << r.concurrency;
    if (r.error) {
      out << "  VOID: " << *r.error << '\n';
      continue;
    }
    out << std::fixed << std::setprecision(0) << std::setw(11) << r.calls_per_second.median << std::setw(11)
        << r.calls_per_second.min << std::setw(11) << r.calls_per_second.max << std::setprecision(1) << std::setw(10)
        << r.p50_us << std::setw(10) << r.p99_us << std::setprecision(2) << std::setw(15) << r.cpu_us_client
        << std::setw(15) << r.cpu_us_server << "  ";
    if (const auto ratio = r.ratio.find(base); ratio != r.ratio.end()) out << std::setprecision(3) << ratio->second;
    else out << "-";
    out << '\n';
  }
}

std::string describe_machine() {
  std::string processor = "unknown processor";
  std::ifstream cpuinfo{"/proc/cpuinfo"};
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!line.starts_with("model name")) continue;
    processor = line.substr(std::min(line.size(), line.find(':') + 2));
    break;
  }
  utsname kernel{};
  uname(&kernel);
  return std::to_string(std::thread::hardware_concurrency()) + " x " + processor + ", " + kernel.sysname + " " +
         kernel.release;
}

}  // namespace weft::bench
