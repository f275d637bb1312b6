#include <algorithm>
#include <iostream>
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
    "usage: weft-bench in_flight [--quick] [--rounds N] [--connections N]\n\n"
    "Lateness of a 10 ms ticker beside 10,000 calls in flight on its strand, started anew for 3 s a round.\n\n"
    "  --rounds N       (3)\n"
    "  --connections N  of the client (1)\n"
    "  --quick          one round\n\n"
    "Exits with 1 when the median of the rounds' p99.9 is above 10 ms, or a call failed.\n";

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

task<> waves(Echo::client echo, figures* f, scope& s) {
  bool over = false;
  auto ticker = s.start(tick(f, &over));
  const auto until = closed_loop::clock::now() + 3s;
  while (closed_loop::clock::now() < until && f->errors == 0) co_await with_scope(&wave, echo, f);
  over = true;
  co_await std::move(ticker);
}

figures one_round(int connections) {
  child_process server{{"in_flight", "--serve"}};
  const int port = announced_port(server, 10s);
  figures f;
  {
    rpc_runtime rt;
    peer to{rt, "127.0.0.1:" + std::to_string(port), {.connections = connections}};
    sync_wait(rt, with_scope(&waves, Echo::client{to}, &f));
  }
  server.stop();
  return f;
}

int run_rounds(int rounds, int connections) {
  pin_to_core(client_core);
  std::vector<double> p999;
  bool failed = false;
  std::cout << "round  ticks  calls  most in flight  lateness p50 ms  p99 ms  p99.9 ms\n";
  for (int i = 0; i < rounds; ++i) {
    const auto f = one_round(connections);
    const auto ms = [&](double p) {
      return std::chrono::duration<double, std::milli>(f.lateness.percentile(p)).count();
    };
    p999.push_back(ms(99.9));
    std::cout << i + 1 << "  " << f.ticks << "  " << f.completed << "  " << f.most_in_flight << "  " << ms(50) << "  "
              << ms(99) << "  " << ms(99.9) << "\n"
              << std::flush;
    if (f.errors != 0 || f.most_in_flight < calls) {
      failed = true;
      std::cerr << "weft-bench in_flight: round " << i + 1 << " is void: " << f.errors << " calls failed, "
                << f.most_in_flight << " in flight at most; " << f.error << "\n";
    }
  }
  const auto median = spread_of(p999).median;
  std::cout << "p99.9 lateness, median of " << rounds << " rounds: " << median << " ms\n";
  return failed || median > std::chrono::duration<double, std::milli>(promised).count() ? 1 : 0;
}

}  // namespace

int run_in_flight(std::span<char* const> arguments) try {
  int rounds = 3;
  int connections = 1;
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
      rounds = 1;
    } else if (flag == "--rounds" && number > 0) {
      rounds = number;
      ++i;
    } else if (flag == "--connections" && number > 0) {
      connections = number;
      ++i;
    } else {
      std::cerr << "weft-bench in_flight: cannot use '" << flag << "'\n\n" << usage;
      return 2;
    }
  }
  return run_rounds(rounds, connections);
} catch (const std::exception& error) {
  std::cerr << "weft-bench in_flight: " << error.what() << '\n';
  return 1;
}

}  // namespace weft::bench
