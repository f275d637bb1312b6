#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <iostream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <weft/bench/rpc/measure.hpp>
#include <weft/bench/rpc/raw_queue.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/weft_unary.hpp>
#include <weft/rpc/process_setup.hpp>

// What a unary call costs: closed loops of 1, 64 and 512 calls over one channel, the client on core 0 and the server
// on core 1. Both sides of every round are new processes, so no contestant inherits another's settings or memory,
// and the process that starts them never touches gRPC.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

// The same for every contestant.
constexpr std::array concurrencies{1, 64, 512};
constexpr std::size_t payload = 32;
constexpr auto deadline = 5s;
const channel_arguments client_arguments{};
const channel_arguments server_arguments{};

struct call_setup {
  std::string target;
  int outstanding;
  bench::load load;
};

struct contestant {
  std::string_view name;
  bool peer;  // not weft
  /// Listens, announces its port, and serves until the parent lets go. In a process of its own, on the server's core.
  void (*serve)(parent_link& parent);
  /// Keeps calls outstanding and reports each to a closed_loop. In a process of its own, on the client's core.
  run_result (*call)(const call_setup& setup);
};

void serve_raw_queue(parent_link& parent) {
  raw_server server{{.arguments = server_arguments}};
  const std::jthread stopper{[&] {
    parent.wait_until_released();
    server.stop();
  }};
  parent.announce(server.port());
  server.serve();
}

run_result call_raw_queue(const call_setup& setup) {
  raw_client client{{.target = setup.target,
                     .arguments = client_arguments,
                     .payload = payload,
                     .outstanding = setup.outstanding,
                     .deadline = deadline}};
  return client.run(setup.load);
}

// Both sides of raw_cq with the settings that weft makes by default.
void serve_tuned_raw_queue(parent_link& parent) {
  process_setup();
  serve_raw_queue(parent);
}
run_result call_tuned_raw_queue(const call_setup& setup) {
  process_setup();
  raw_client client{{.target = setup.target,
                     .arguments = {{GRPC_ARG_ENABLE_RETRIES, 0}},
                     .payload = payload,
                     .outstanding = setup.outstanding,
                     .deadline = deadline}};
  return client.run(setup.load);
}

template <bool WeftDefaults, int SpinMicroseconds = 0>
void serve_weft_unary(parent_link& parent) {
  serve_weft(parent, {.weft_defaults = WeftDefaults, .spin = std::chrono::microseconds{SpinMicroseconds}});
}
template <bool WeftDefaults, int SpinMicroseconds = 0>
run_result call_weft_unary(const call_setup& setup) {
  return call_weft(setup.target, setup.outstanding, payload, deadline, setup.load,
                   {.weft_defaults = WeftDefaults, .spin = std::chrono::microseconds{SpinMicroseconds}});
}

// All who take part, in the order of their turns; the others are compared with the first. Another one, weft's own
// for instance, is a serve and a call function above and a line here: with the constants above, and a look at the
// payload of each reply.
constexpr std::array contestants{
    contestant{.name = "raw_cq", .peer = true, .serve = serve_raw_queue, .call = call_raw_queue},
    contestant{.name = "weft unary, gRPC's settings",
               .peer = false,
               .serve = serve_weft_unary<false>,
               .call = call_weft_unary<false>},
    contestant{
        .name = "raw_cq, weft's settings", .peer = true, .serve = serve_tuned_raw_queue, .call = call_tuned_raw_queue},
    contestant{.name = "weft unary", .peer = false, .serve = serve_weft_unary<true>, .call = call_weft_unary<true>},
    contestant{.name = "weft unary, spin 50 us",
               .peer = false,
               .serve = serve_weft_unary<true, 50>,
               .call = call_weft_unary<true, 50>},
};
const std::string base{contestants.front().name};

const contestant& contestant_named(std::string_view name) {
  for (const auto& c : contestants)
    if (c.name == name) return c;
  throw std::invalid_argument{"no such contestant: " + std::string{name}};
}

constexpr std::string_view usage =
    R"(usage: weft-bench unary [--quick] [--rounds N] [--seconds S] [--json FILE]

Calls per second, latency and CPU time of unary calls with 1, 64 and 512 outstanding.

Needs two cores and a machine that does nothing else.

  --rounds N    interleaved rounds of each contestant, at least 1 (5)
  --seconds S   measured seconds of a round, after a warm-up (3)
  --quick       --rounds 3 --seconds 0.5: does it work, not how fast it is
  --json FILE   write the rows to FILE as well
  --help        print this

Exits with 1 when a row is void, which one failed call of any round makes it, and with 2 for a wrong command line.

The program starts itself again for each side of a round:
  --serve NAME  serve as contestant NAME until the end of input
  --call NAME   call a server as contestant NAME, with --port P --server-pid P --concurrency N --seconds S
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

  int rounds_or_default() const { return rounds.value_or(quick ? 3 : 5); }
  std::chrono::nanoseconds measured() const {
    return std::chrono::round<std::chrono::nanoseconds>(
        std::chrono::duration<double>{seconds.value_or(quick ? 0.5 : 3)});
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
    else if (flag == "--json") s.json = value();
    else if (flag == "--serve") s.serve = value();
    else if (flag == "--call") s.call = value();
    else if (flag == "--port") s.port = positive<int>(flag, value());
    else if (flag == "--server-pid") s.server_pid = positive<int>(flag, value());
    else if (flag == "--concurrency") s.concurrency = positive<int>(flag, value());
    else throw usage_error{"unknown flag: " + std::string{flag}};
  }
  return s;
}

int run_server(const settings& s) {
  pin_to_core(server_core);
  parent_link parent;
  contestant_named(*s.serve).serve(parent);
  return 0;
}

constexpr std::chrono::nanoseconds warm_up_for(std::chrono::nanoseconds measured) {
  return std::max<std::chrono::nanoseconds>(250ms, measured / 6);
}

int run_client(const settings& s) {
  run_result result;
  try {
    pin_to_core(client_core);
    result = contestant_named(*s.call).call(
        {.target = "127.0.0.1:" + std::to_string(s.port),
         .outstanding = s.concurrency,
         .load = {.warm_up = warm_up_for(s.measured()), .measured = s.measured(), .server = s.server_pid}});
  } catch (const std::exception& error) {
    result = {.errors = 1, .error = error.what()};
  }
  std::cout << to_line(result) << '\n';
  return 0;
}

run_result one_round(const contestant& c, int concurrency, std::chrono::nanoseconds measured) {
  static constexpr auto start_up = 10s;
  const std::string name{c.name};
  std::string trouble;
  run_result result;
  try {
    child_process server{{"unary", "--serve", name}};
    const auto port = announced_port(server, start_up);
    child_process client{{"unary", "--call", name, "--port", std::to_string(port), "--server-pid",
                          std::to_string(server.pid()), "--concurrency", std::to_string(concurrency), "--seconds",
                          std::to_string(std::chrono::duration<double>(measured).count())}};
    const auto longest = start_up + warm_up_for(measured) + measured + 2 * deadline;
    result = run_result_from_line(client.read_line(std::chrono::ceil<std::chrono::milliseconds>(longest)));
    if (const auto ended = client.stop(); !ended.empty()) trouble = "client " + ended;
    if (const auto ended = server.stop(); !ended.empty()) trouble = "server " + ended;
  } catch (const std::exception& error) {
    trouble = error.what();
  }
  if (trouble.empty()) return result;
  return {.errors = result.errors + 1, .error = result.error.empty() ? trouble : result.error + "; " + trouble};
}

std::vector<row> rows_at(int concurrency, int rounds, std::chrono::nanoseconds measured) {
  std::array<std::vector<run_result>, contestants.size()> results;
  interleave(contestants.size(), rounds, [&](std::size_t i) {
    const auto& result = results[i].emplace_back(one_round(contestants[i], concurrency, measured));
    std::cerr << contestants[i].name << ", " << concurrency << " outstanding, round " << results[i].size() << " of "
              << rounds << ": ";
    if (result.errors > 0) std::cerr << "VOID: " << result.error << '\n';
    else std::cerr << static_cast<long>(result.calls_per_second()) << " calls/s\n";
  });
  std::vector<row> rows;
  for (std::size_t i = 0; i < contestants.size(); ++i) {
    auto& r = rows.emplace_back(row_of(std::string{contestants[i].name}, contestants[i].peer, concurrency, results[i]));
    if (!r.error && !rows.front().error)
      r.ratio[base] = r.calls_per_second.median / rows.front().calls_per_second.median;
  }
  return rows;
}

int run_suite(const settings& s) {
  std::ofstream json;
  if (s.json) {
    json.open(*s.json);
    if (!json) throw std::runtime_error{"cannot write " + *s.json};
  }

  report all{.suite = "unary",
             .machine = describe_machine(),
             .versions = {{"grpc", grpc::Version()},
                          {"protobuf", google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION)},
                          {"compiler", __VERSION__}},
             .rows = {}};
  for (const int concurrency : concurrencies)
    for (auto& r : rows_at(concurrency, s.rounds_or_default(), s.measured())) all.rows.push_back(std::move(r));

  write_table(std::cout, all, base);
  if (s.json) {
    write_json(json, all);
    json.close();
    if (!json) throw std::runtime_error{"cannot write " + *s.json};
  }
  return std::ranges::any_of(all.rows, [](const row& r) { return r.error.has_value(); }) ? 1 : 0;
}

}  // namespace

int run_unary(std::span<char* const> arguments) try {
  const settings s = parse(arguments);
  if (s.help) {
    std::cout << usage;
    return 0;
  }
  if (s.serve) return run_server(s);
  if (s.call) return run_client(s);
  return run_suite(s);
} catch (const usage_error& error) {
  std::cerr << "weft-bench unary: " << error.what() << "\n\n" << usage;
  return 2;
} catch (const std::exception& error) {
  std::cerr << "weft-bench unary: " << error.what() << '\n';
  return 1;
}

}  // namespace weft::bench
