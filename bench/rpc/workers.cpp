#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/table.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

// R14: what caps the handlers that are in progress? 64 calls are out, to handlers of 5 ms, over gRPC as in Go; and
// between two services of one process.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Move;
using ::bench::v1::Table;

constexpr int outstanding = 64;
constexpr auto handler_time = 5ms;

struct counts {
  int now = 0;
  int most = 0;
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;
};

task<status> handle(counts* c) {
  c->most = std::max(c->most, ++c->now);
  const auto s = co_await sleep_for(handler_time);
  --c->now;
  co_return s;
}

task<> caller(service* to, counts* c, std::chrono::steady_clock::time_point until) {
  while (std::chrono::steady_clock::now() < until) {
    auto handler = [c] { return handle(c); };
    const auto reply = co_await to->call(handler, within{60s});
    ++(reply.ok() ? c->calls : c->failed);
  }
}

task<> callers(service* to, counts* c, std::chrono::steady_clock::time_point until, scope& s) {
  for (int i = 0; i < outstanding; ++i) std::ignore = s.start(&caller, to, c, until);
  co_return;
}

figures in_process(const trial_options& o, reentrancy r, std::uint32_t running) {
  runtime rt;
  service to{rt, {.name = "to", .reentrancy = r, .running = running}};
  counts c;
  const auto began = std::chrono::steady_clock::now();
  const auto until = began + std::chrono::round<duration>(std::chrono::duration<double>{o.seconds});
  sync_wait(rt, with_scope(&callers, &to, &c, until));
  // What is out at the end counts, and so does its time.
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - began;
  to.stop_and_wait();
  if (c.failed != 0) throw std::runtime_error{"calls failed"};
  return {{"handlers", c.most}, {"calls_per_s", static_cast<double>(c.calls) / taken.count()}};
}

// As the peer in Go: server and client in one process, over TCP.
task<> remote_caller(Table::client to, counts* c, std::chrono::steady_clock::time_point until) {
  const Move move;
  while (std::chrono::steady_clock::now() < until) {
    const auto moved = co_await to.Play(move, call_options{within{60s}});
    ++(moved.ok() ? c->calls : c->failed);
  }
}

task<> remote_callers(Table::client to, counts* c, std::chrono::steady_clock::time_point until, scope& s) {
  for (int i = 0; i < outstanding; ++i) std::ignore = s.start(&remote_caller, to, c, until);
  co_return;
}

figures over_tcp(const trial_options& o, reentrancy r, std::uint32_t running) {
  rpc_runtime rt;
  table service{rt, {.play = handler_time, .reentrancy = r, .running = running}};
  server at{rt};
  at.add(service);
  if (const auto s = at.start(); !s.ok()) throw std::runtime_error{s.to_string()};
  peer to{rt, at.address()};
  if (const auto s = sync_wait(rt, to.connect()); !s.ok()) throw std::runtime_error{s.to_string()};
  counts c;
  const auto began = std::chrono::steady_clock::now();
  const auto until = began + std::chrono::round<duration>(std::chrono::duration<double>{o.seconds});
  sync_wait(rt, with_scope(&remote_callers, Table::client{to}, &c, until));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - began;
  const auto most = counts_of_table(at.address()).most();
  at.stop();
  service.stop_and_wait();
  if (c.failed != 0) throw std::runtime_error{"calls failed"};
  return {{"handlers", static_cast<double>(most)}, {"calls_per_s", static_cast<double>(c.calls) / taken.count()}};
}

trial go(const char* name, const char* workers) {
  return {
      name,
      true,
      outstanding,
      {},
      {peer_program("go-peer"), "workers", "--stream-workers", workers, "--concurrency", std::to_string(outstanding)}};
}

// A limit that is not kept is no limit.
std::vector<std::string> verdict(const std::vector<trial_row>& rows) {
  std::vector<std::string> wrong;
  for (const auto& r : rows) {
    if (r.peer) continue;
    const int cap = r.name.find("running = 8") != std::string::npos ? 8
                    : r.name.find("exclusive") != std::string::npos ? 1
                                                                    : outstanding;
    if (r.of.at("handlers").max > cap) wrong.push_back(r.name + " had more handlers in progress than it may");
  }
  return wrong;
}

}  // namespace

int run_workers(std::span<char* const> arguments) {
  const auto row = [](const char* name, auto how, reentrancy r, std::uint32_t running) -> trial {
    return {name, false, outstanding, [=](const trial_options& o) { return how(o, r, running); }};
  };
  constexpr std::uint32_t no_limit = 65'536;
  return run_trials({.suite = "workers",
                     .question = "Handlers in progress at a time, of 64 calls that are out to handlers of 5 ms. (R14)",
                     .all = {row("weft", over_tcp, reentrancy::interleaved, no_limit),
                             row("weft, running = 8", over_tcp, reentrancy::interleaved, 8),
                             row("weft, exclusive", over_tcp, reentrancy::exclusive, no_limit), go("grpc-go", "0"),
                             go("grpc-go, NumStreamWorkers(8)", "8"), go("grpc-go, NumStreamWorkers(1)", "1"),
                             row("weft, in process", in_process, reentrancy::interleaved, no_limit),
                             row("weft, in process, running = 8", in_process, reentrancy::interleaved, 8),
                             row("weft, in process, exclusive", in_process, reentrancy::exclusive, no_limit)},
                     .figure = "calls_per_s",
                     .rounds = 3,
                     .seconds = 1,
                     .verdict = verdict},
                    arguments);
}

}  // namespace weft::bench
