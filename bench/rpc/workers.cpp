#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

// R14: what caps the handlers that are in progress? 64 calls are out, to handlers of 5 ms.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

constexpr int outstanding = 64;

struct counts {
  int now = 0;
  int most = 0;
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;
};

task<status> handle(counts* c) {
  c->most = std::max(c->most, ++c->now);
  const auto s = co_await sleep_for(5ms);
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

figures run(const trial_options& o, reentrancy r, std::uint32_t running) {
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
  for (const auto& [name, cap] : {std::pair{"weft service, running = 8", 8}, std::pair{"weft service, exclusive", 1}})
    if (const auto* r = find_row(rows, name); r != nullptr && r->of.at("handlers").max > cap)
      wrong.push_back(std::string{name} + " had more handlers in progress than it may");
  return wrong;
}

}  // namespace

int run_workers(std::span<char* const> arguments) {
  const auto weft = [](const char* name, reentrancy r, std::uint32_t running) -> trial {
    return {name, false, outstanding, [=](const trial_options& o) { return run(o, r, running); }};
  };
  return run_trials({.suite = "workers",
                     .question = "Handlers in progress at a time, of 64 calls that are out to handlers of 5 ms. (R14)",
                     .all = {weft("weft service", reentrancy::interleaved, 65'536),
                             weft("weft service, running = 8", reentrancy::interleaved, 8),
                             weft("weft service, exclusive", reentrancy::exclusive, 65'536), go("grpc-go", "0"),
                             go("grpc-go, NumStreamWorkers(8)", "8"), go("grpc-go, NumStreamWorkers(1)", "1")},
                     .figure = "calls_per_s",
                     .rounds = 3,
                     .seconds = 1,
                     .verdict = verdict},
                    arguments);
}

}  // namespace weft::bench
