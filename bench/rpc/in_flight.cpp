#include <algorithm>
#include <iomanip>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>
#include <weft/bench/rpc/measure.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/weft_unary.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "echo.weft.hpp"

// R1: 10,000 calls in flight, from one thread, to a server that answers after 200 ms, while a ticker of 10 ms runs on the
// same strand. Starting calls yields now and then, as any long loop on a strand should. How late are the ticks?

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Echo;
using ::bench::v1::EchoRequest;

constexpr int calls = 10'000;
constexpr int starts_between_yields = 32;
constexpr auto answer_after = 200ms;
constexpr auto period = 10ms;
constexpr auto promised = 10ms;

constexpr std::string_view usage =
    "usage: weft-bench in_flight [--quick] [--rounds N] [--seconds N] [--connections N]\n\n"
    "Lateness of a 10 ms ticker beside 10,000 calls in flight on its strand, started anew until the round is over, on "
    "one\n"
    "connection and on two, in turn.\n\n"
    "  --rounds N       of each (3)\n"
    "  --seconds N      a round (10)\n"
    "  --connections N  only so many of the client\n"
    "  --quick          one round of 3 s\n\n"
    "Exits with 1 when a call failed, or the median of the rounds' p99.9 on the most connections is above 10 ms: gRPC "
    "reads\n"
    "all that has come on a connection in one go, so one alone promises nothing (see "
    "weft::peer_options::connections).\n";

struct setup {
  int rounds = 3;
  std::chrono::seconds time{10};
  std::vector<int> connections{1, 2};
};

struct figures {
  latency_histogram lateness;
  int ticks = 0;
  int in_flight = 0;
  int most_in_flight = 0;
  std::uint64_t completed = 0;
  std::uint64_t errors = 0;
  std::string error;
};

task<> tick(figures* f, const bool* over) {
  auto due = closed_loop::clock::now() + period;
  while (!*over) {
    std::ignore = co_await sleep_until(due);
    const auto now = closed_loop::clock::now();
    f->lateness.add(now - due);
    ++f->ticks;
    due = std::max(due + period, now);
  }
}

task<> one_call(Echo::client echo, figures* f) {
  EchoRequest request;
  f->most_in_flight = std::max(f->most_in_flight, ++f->in_flight);
  const auto reply = co_await echo.Say(request, within{30s});
  --f->in_flight;
  ++f->completed;
  if (!reply.ok() && f->errors++ == 0) f->error = reply.status().to_string();
}

task<> wave(Echo::client echo, figures* f, scope& s) {
  for (int i = 0; i < calls; ++i) {
    std::ignore = s.start(one_call(echo, f));
    if (i % starts_between_yields == 0) co_await yield{};
  }
}

task<> waves(Echo::client echo, figures* f, duration time, scope& s) {
  bool over = false;
  auto ticker = s.start(tick(f, &over));
  const auto until = closed_loop::clock::now() + time;
  while (closed_loop::clock::now() < until && f->errors == 0) co_await with_scope(&wave, echo, f);
  over = true;
  co_await std::move(ticker);
}

figures one_round(int connections, duration time) {
  child_process server{{"in_flight", "--serve"}};
  const int port = announced_port(server, 10s);
  figures f;
  {
    rpc_runtime rt;
    peer to{rt, "127.0.0.1:" + std::to_string(port), {.connections = connections}};
    sync_wait(rt, with_scope(&waves, Echo::client{to}, &f, time));
  }
  server.stop();
  return f;
}

double in_ms(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// The round's p99.9; none when it is void.
std::optional<double> reported_round(int connections, duration time) {
  const auto f = one_round(connections, time);
  std::cout << std::setw(11) << connections << std::setw(7) << f.ticks << std::setw(8) << f.completed << std::setw(16)
            << f.most_in_flight;
  for (const double p : {50.0, 99.0, 99.9}) std::cout << std::setw(9) << in_ms(f.lateness.percentile(p));
  std::cout << std::endl;  // NOLINT(performance-avoid-endl): a round takes seconds
  if (f.errors == 0 && f.most_in_flight == calls) return in_ms(f.lateness.percentile(99.9));
  std::cerr << "weft-bench in_flight: this round is void: " << f.errors << " calls failed, " << f.most_in_flight
            << " in flight at most; " << f.error << "\n";
  return {};
}

int run_rounds(const setup& o) {
  pin_to_core(client_core);
  std::vector<std::vector<double>> p999(o.connections.size());
  bool failed = false;
  std::cout << std::fixed << std::setprecision(2)
            << "connections  ticks   calls  most in flight  late p50 ms    p99    p99.9\n";
  for (int round = 0; round < o.rounds; ++round) {
    for (std::size_t i = 0; i < o.connections.size(); ++i) {
      const auto p = reported_round(o.connections[i], o.time);
      p999[i].push_back(p.value_or(0));
      failed |= !p;
    }
  }
  double median = 0;
  for (std::size_t i = 0; i < o.connections.size(); ++i) {
    const auto all = spread_of(p999[i]);
    median = all.median;
    std::cout << "p99.9 lateness on " << o.connections[i] << " connections, median of " << o.rounds
              << " rounds: " << median << " ms (" << all.min << " to " << all.max << ")\n";
  }
  return failed || median > in_ms(promised) ? 1 : 0;
}

}  // namespace

int run_in_flight(std::span<char* const> arguments) try {
  setup o;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view flag{arguments[i]};
    if (flag == "--help") {
      std::cout << usage;
      return 0;
    }
    if (flag == "--serve") {
      parent_link parent;
      pin_to_core(server_core);
      serve_weft(parent, {.delay = answer_after});
      return 0;
    }
    const auto number = i + 1 < arguments.size() ? std::atoi(arguments[i + 1]) : 0;
    if (flag == "--quick") {
      o.rounds = 1;
      o.time = 3s;
    } else if (flag == "--rounds" && number > 0) {
      o.rounds = number;
      ++i;
    } else if (flag == "--seconds" && number > 0) {
      o.time = std::chrono::seconds{number};
      ++i;
    } else if (flag == "--connections" && number > 0) {
      o.connections = {number};
      ++i;
    } else {
      std::cerr << "weft-bench in_flight: cannot use '" << flag << "'\n\n" << usage;
      return 2;
    }
  }
  return run_rounds(o);
} catch (const std::exception& error) {
  std::cerr << "weft-bench in_flight: " << error.what() << '\n';
  return 1;
}

}  // namespace weft::bench
