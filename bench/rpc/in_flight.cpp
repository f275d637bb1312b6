#include <algorithm>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/bench/rpc/measure.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
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

struct ticking {
  latency_histogram lateness;
  int ticks = 0;
  int in_flight = 0;
  int most_in_flight = 0;
  std::uint64_t completed = 0;
  std::uint64_t errors = 0;
  std::string error;
};

task<> tick(ticking* f, const bool* over) {
  auto due = closed_loop::clock::now() + period;
  while (!*over) {
    std::ignore = co_await sleep_until(due);
    const auto now = closed_loop::clock::now();
    f->lateness.add(now - due);
    ++f->ticks;
    due = std::max(due + period, now);
  }
}

task<> one_call(Echo::client echo, ticking* f) {
  EchoRequest request;
  f->most_in_flight = std::max(f->most_in_flight, ++f->in_flight);
  const auto reply = co_await echo.Say(request, within{30s});
  --f->in_flight;
  ++f->completed;
  if (!reply.ok() && f->errors++ == 0) f->error = reply.status().to_string();
}

task<> wave(Echo::client echo, ticking* f, scope& s) {
  for (int i = 0; i < calls; ++i) {
    std::ignore = s.start(one_call(echo, f));
    if (i % starts_between_yields == 0) co_await yield{};
  }
}

task<> waves(Echo::client echo, ticking* f, duration time, scope& s) {
  bool over = false;
  auto ticker = s.start(tick(f, &over));
  const auto until = closed_loop::clock::now() + time;
  while (closed_loop::clock::now() < until && f->errors == 0) co_await with_scope(&wave, echo, f);
  over = true;
  co_await std::move(ticker);
}

ticking one_round(int connections, duration time) {
  child_process server{{"in_flight", "--serve", "echo"}};
  const int port = announced_port(server, 10s);
  ticking f;
  {
    rpc_runtime rt;
    peer to{rt, "127.0.0.1:" + std::to_string(port), {.connections = connections}};
    sync_wait(rt, with_scope(&waves, Echo::client{to}, &f, time));
  }
  server.stop();
  return f;
}

double in_ms(duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

figures ticker_beside(int connections, duration time) {
  pin_to_core(client_core);
  const auto t = one_round(connections, time);
  if (t.errors != 0 || t.most_in_flight != calls)
    throw std::runtime_error{std::to_string(t.errors) + " calls failed, " + std::to_string(t.most_in_flight) +
                             " in flight at most; " + t.error};
  return {{"ticks", t.ticks},
          {"completed", static_cast<double>(t.completed)},
          {"late_p50_ms", in_ms(t.lateness.percentile(50))},
          {"late_p99_ms", in_ms(t.lateness.percentile(99))},
          {"late_p999_ms", in_ms(t.lateness.percentile(99.9))}};
}

// gRPC reads all that has come on a connection in one go, so one alone promises nothing: see weft::peer_options::connections.
std::vector<std::string> verdict(const std::vector<trial_row>& rows) {
  const auto* two = find_row(rows, "weft, two connections");
  if (two == nullptr || two->of.at("late_p999_ms").median <= in_ms(promised)) return {};
  return {"p99.9 of the ticker's lateness is above 10 ms on two connections"};
}

}  // namespace

int run_in_flight(std::span<char* const> arguments) {
  const auto on = [](int connections) {
    return [connections](const trial_options& o) {
      return ticker_beside(connections, std::chrono::round<duration>(std::chrono::duration<double>{o.seconds}));
    };
  };
  const trial_suite suite{
      .suite = "in_flight",
      .question = "Lateness of a 10 ms ticker beside 10,000 calls in flight on its strand, started anew "
                  "until the round is over. (R1)",
      .all = {{"weft, one connection", false, calls, on(1)}, {"weft, two connections", false, calls, on(2)}},
      .figure = "late_p999_ms",
      .rounds = 3,
      .seconds = 10,
      .quick_seconds = 3,
      .servers = {{"echo",
                   [](parent_link& parent) {
                     pin_to_core(server_core);
                     serve_weft(parent, {.delay = answer_after});
                   }}},
      .verdict = verdict};
  return run_trials(suite, arguments);
}

}  // namespace weft::bench
