#include <weft/bench/rpc/contest.hpp>

#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>
#include <weft/bench/rpc/allocations.hpp>
#include <weft/bench/rpc/trials.hpp>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

// Behind "usage: weft-bench <suite>".
constexpr std::string_view usage =
    R"( [--quick] [--rounds N] [--seconds S] [--payload B] [--only TEXT] [--json FILE]

Needs two cores and a machine that does nothing else.

  --rounds N    interleaved rounds of each contestant, at least 1 (5)
  --seconds S   measured seconds of a round, after a warm-up (3)
  --quick       --rounds 2 --seconds 0.4: does it work, not how fast it is
  --payload B   bytes of each request and reply
  --only TEXT   the first contestant, and those with TEXT in their name
  --json FILE   write the rows to FILE as well
  --help        print this

Exits with 1 when a row is void, which one failed call of any round makes it, or the run, and with 2 for a wrong command
line.

The program starts itself again for each side of a round:
  --serve NAME  serve as contestant NAME until the end of input
  --call NAME   call a server as contestant NAME, with --port P --server-pid P --concurrency N
                --payload B --seconds S
  --count FILE  in which either side counts its allocations
)";

struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct settings {
  bool help = false;
  bool quick = false;
  std::optional<int> rounds;
  std::optional<double> seconds;
  std::optional<std::string> json;
  std::optional<std::string> serve;
  std::optional<std::string> call;
  int port = 0;
  int server_pid = 0;
  int concurrency = 1;
  std::optional<std::size_t> payload;
  std::optional<std::string> only;
  std::optional<std::string> count;

  std::chrono::nanoseconds measured() const {
    return std::chrono::round<std::chrono::nanoseconds>(
        std::chrono::duration<double>{seconds.value_or(quick ? 0.4 : 3)});
  }
};

template <class Number>
Number positive(std::string_view flag, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Written so that not-a-number fails as well.
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0 && value <= 1'000'000'000))
    throw usage_error{std::string{flag} + " needs a positive number, not '" + std::string{text} + "'"};
  return value;
}

settings parse(std::span<char* const> arguments) {
  settings s;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view flag{arguments[i]};
    const auto value = [&]() -> std::string_view {
      if (i + 1 == arguments.size()) throw usage_error{std::string{flag} + " needs a value"};
      return arguments[++i];
    };
    if (flag == "--help") s.help = true;
    else if (flag == "--quick") s.quick = true;
    else if (flag == "--rounds") s.rounds = positive<int>(flag, value());
    else if (flag == "--seconds") s.seconds = positive<double>(flag, value());
    else if (flag == "--payload") s.payload = positive<std::size_t>(flag, value());
    else if (flag == "--only") s.only = value();
    else if (flag == "--json") s.json = value();
    else if (flag == "--serve") s.serve = value();
    else if (flag == "--call") s.call = value();
    else if (flag == "--count") s.count = value();
    else if (flag == "--port") s.port = positive<int>(flag, value());
    else if (flag == "--server-pid") s.server_pid = positive<int>(flag, value());
    else if (flag == "--concurrency") s.concurrency = positive<int>(flag, value());
    else throw usage_error{"unknown flag: " + std::string{flag}};
  }
  return s;
}

const contestant& contestant_named(const contest& c, std::string_view name) {
  for (const auto& one : c.contestants)
    if (one.name == name) return one;
  throw std::invalid_argument{"no such contestant: " + std::string{name}};
}

int run_server(const contest& c, const settings& s) {
  pin_to_core(server_core);
  if (s.count) count_allocations(*s.count, &allocation_counts::server);
  parent_link parent;
  contestant_named(c, *s.serve).serve(parent);
  return 0;
}

constexpr std::chrono::nanoseconds warm_up_for(std::chrono::nanoseconds measured) {
  return std::max<std::chrono::nanoseconds>(250ms, measured / 6);
}

int run_client(const contest& c, const settings& s) {
  run_result result;
  try {
    pin_to_core(client_core);
    bench::load load{.warm_up = warm_up_for(s.measured()), .measured = s.measured(), .server = s.server_pid};
    if (s.count) {
      const auto* counts = &count_allocations(*s.count, &allocation_counts::client);
      load.allocations = [counts] { return std::array{counts->client.load(), counts->server.load()}; };
    }
    result = contestant_named(c, *s.call)
                 .call({.target = "127.0.0.1:" + std::to_string(s.port),
                        .outstanding = s.concurrency,
                        .payload = s.payload.value_or(c.payloads.front()),
                        .load = load});
  } catch (const std::exception& error) {
    result = {.errors = 1, .error = error.what()};
  }
  std::cout << to_line(result) << '\n';
  return 0;
}

// What all rounds of a run have in common.
struct round_setup {
  std::string suite;
  int concurrency;
  std::size_t payload;
  std::chrono::nanoseconds measured;
};

// A file for allocation_counts, while it exists.
struct counting_file {
  counting_file() : name{(std::filesystem::temp_directory_path() / "weft-bench-XXXXXX").string()} {
    const int fd = mkstemp(name.data());
    if (fd < 0 || ftruncate(fd, sizeof(allocation_counts)) != 0)
      throw std::system_error{errno, std::generic_category(), name};
    close(fd);
  }
  ~counting_file() { unlink(name.c_str()); }
  counting_file(const counting_file&) = delete;
  counting_file& operator=(const counting_file&) = delete;

  std::string name;
};

// With `count` each side counts its allocations there.
run_result one_round(const contestant& c, const round_setup& setup, const counting_file* count = nullptr) {
  static constexpr auto start_up = 10s;
  const std::string name{c.name};
  std::string trouble;
  run_result result;
  try {
    std::vector<std::string> serve{setup.suite, "--serve", name};
    if (count != nullptr) serve.insert(serve.end(), {"--count", count->name});
    child_process server{serve};
    const auto port = announced_port(server, start_up);
    std::vector<std::string> call{setup.suite,
                                  "--call",
                                  name,
                                  "--port",
                                  std::to_string(port),
                                  "--server-pid",
                                  std::to_string(server.pid()),
                                  "--concurrency",
                                  std::to_string(setup.concurrency),
                                  "--payload",
                                  std::to_string(setup.payload),
                                  "--seconds",
                                  std::to_string(std::chrono::duration<double>(setup.measured).count())};
    if (count != nullptr) call.insert(call.end(), {"--count", count->name});
    child_process client{call};
    const auto longest = start_up + warm_up_for(setup.measured) + setup.measured + 2 * call_deadline;
    result = run_result_from_line(client.read_line(std::chrono::ceil<std::chrono::milliseconds>(longest)));
    if (const auto ended = client.stop(); !ended.empty()) trouble = "client " + ended;
    if (const auto ended = server.stop(); !ended.empty()) trouble = "server " + ended;
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  if (trouble.empty()) return result;
  return {.errors = result.errors + 1, .error = result.error.empty() ? trouble : result.error + "; " + trouble};
}

// In a round of its own, which is not timed. Programs in peers/ count nothing.
void count_allocations_of(const contestant& c, const round_setup& setup, row& r) {
  const counting_file file;
  const auto counted = one_round(c, setup, &file);
  if (counted.errors > 0) {
    if (!r.error) r.error = counted.error;
    return;
  }
  r.allocations_client = counted.allocations_client;
  r.allocations_server = counted.allocations_server;
}

std::vector<row> rows_at(const std::vector<contestant>& contestants, const round_setup& setup, int rounds) {
  std::vector<std::vector<run_result>> results(contestants.size());
  interleave(contestants.size(), rounds, [&](std::size_t i) {
    const auto& result = results[i].emplace_back(one_round(contestants[i], setup));
    std::cerr << contestants[i].name << ", " << setup.concurrency << " outstanding, round " << results[i].size()
              << " of " << rounds << ": ";
    if (result.errors > 0) std::cerr << "VOID: " << result.error << '\n';
    else std::cerr << static_cast<long>(result.calls_per_second()) << " calls/s\n";
  });
  auto counting = setup;
  counting.measured = std::min<std::chrono::nanoseconds>(setup.measured, 300ms);
  std::vector<row> rows;
  const std::string base{contestants.front().name};
  for (std::size_t i = 0; i < contestants.size(); ++i) {
    const auto& one = contestants[i];
    auto& r = rows.emplace_back(row_of(std::string{one.name}, one.peer, setup.concurrency, results[i]));
    if (one.program == nullptr) count_allocations_of(one, counting, r);
    if (!r.error && !rows.front().error)
      r.ratio[base] = r.calls_per_second.median / rows.front().calls_per_second.median;
  }
  return rows;
}

int run_suite(const contest& c, const settings& s) {
  std::ofstream json;
  if (s.json) {
    json.open(*s.json);
    if (!json) throw std::runtime_error{"cannot write " + *s.json};
  }

  report all{.suite = std::string{c.suite},
             .machine = describe_machine(),
             .versions = {{"grpc", grpc::Version()},
                          {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
                          {"compiler", __VERSION__}},
             .rows = {},
             .why_void = {}};
  std::vector<contestant> taking_part;
  for (const auto& one : c.contestants) {
    if (one.program != nullptr && access(peer_program(one.program).c_str(), X_OK) != 0) {
      std::cerr << "weft-bench " << c.suite << ": left out, not built: " << one.name << '\n';
      continue;
    }
    const bool wanted = !s.only || taking_part.empty() || one.name.find(*s.only) != std::string_view::npos;
    if (wanted) taking_part.push_back(one);
  }
  for (const int concurrency : c.concurrencies) {
    const round_setup setup{std::string{c.suite}, concurrency, s.payload.value_or(c.payloads.front()), s.measured()};
    const auto rows = rows_at(taking_part, setup, s.rounds.value_or(s.quick ? 2 : c.rounds));
    all.rows.insert(all.rows.end(), rows.begin(), rows.end());
  }

  if (c.yardstick.at_least > 0 && s.payload.value_or(c.payloads.front()) == c.yardstick.payload)
    all.why_void = why_void(c.yardstick, all.rows);
  write_table(std::cout, all, std::string{c.contestants.front().name});
  if (!all.why_void.empty()) std::cerr << "weft-bench " << c.suite << ": the run is void: " << all.why_void << '\n';
  if (s.json) {
    write_json(json, all);
    json.close();
    if (!json) throw std::runtime_error{"cannot write " + *s.json};
  }
  const bool void_row = std::ranges::any_of(all.rows, [](const row& r) { return r.error.has_value(); });
  return void_row || !all.why_void.empty() ? 1 : 0;
}

}  // namespace

int run_contest(const contest& c, std::span<char* const> arguments) try {
  const settings s = parse(arguments);
  if (s.help) {
    std::cout << c.question << "\n\nusage: weft-bench " << c.suite << usage;
    return 0;
  }
  if (s.serve) return run_server(c, s);
  if (s.call) return run_client(c, s);
  return run_suite(c, s);
} catch (const usage_error& error) {
  std::cerr << "weft-bench " << c.suite << ": " << error.what() << "\n\nusage: weft-bench " << c.suite << usage;
  return 2;
} catch (const std::exception& error) {
  std::cerr << "weft-bench " << c.suite << ": " << error.what() << '\n';
  return 1;
}

}  // namespace weft::bench
