#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <tuple>
#include <vector>
#include <weft/bench/rpc/measure.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

// R14: a service gets ten times the load that it can take. What do calls of another service wait, on the same worker and
// beside it? Open loop: a call's latency counts from the time at which it was due.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto work_time = 50us;          // CPU of a flooded handler: it can take 20,000 calls a second
constexpr int calls_a_millisecond = 200;  // and gets 200,000
constexpr std::uint32_t mailbox = 1'024;

struct load_figures {
  latency_histogram latency;
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;
};

void compute() {
  const auto until = steady::now() + work_time;
  while (steady::now() < until) {
  }
}

task<> pour(service* flooded, load_figures* f) {
  auto due = steady::now();
  while ((co_await sleep_until(due += 1ms)).ok()) {
    for (int i = 0; i < calls_a_millisecond; ++i) {
      ++f->sent;
      std::ignore = flooded->send(&compute);  // refused, mostly
    }
  }
}

// Each call when it is due, whether or not those before it have been answered.
task<> call_once(service* other, load_figures* f, steady::time_point due) {
  auto answer = [] { return 1; };
  if (!(co_await other->call(answer)).ok()) ++f->failed;
  f->latency.add(steady::now() - due);
}

task<> call_regularly(service* other, load_figures* f, duration how_long, scope& s) {
  auto due = steady::now();
  for (const auto end = due + how_long; due < end; due += 1ms) {
    std::ignore = co_await sleep_until(due);
    std::ignore = s.start(&call_once, other, f, due);
  }
}

std::size_t resident_kib() {
  std::size_t pages = 0, resident = 0;
  std::ifstream{"/proc/self/statm"} >> pages >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) / 1'024;
}

// The flooded service lives on the last worker.
figures one_round(bool flood, int workers, duration how_long) {
  runtime rt{{.workers = workers}};
  service other{rt, {.name = "other"}};
  service source{rt, {.name = "source"}};
  service flooded{rt,
                  {.name = "flooded", .worker = workers - 1, .reentrancy = reentrancy::exclusive, .mailbox = mailbox}};
  load_figures l;
  if (flood) source.start(&pour, &flooded, &l);
  sync_wait(rt, with_scope(&call_regularly, &other, &l, how_long));
  source.stop_and_wait();
  flooded.stop_and_wait(stop_mode::abort);
  other.stop_and_wait();
  if (l.failed != 0) throw std::runtime_error{"calls of the service that is not flooded failed"};
  figures f{{"sent", static_cast<double>(l.sent)},
            {"run", static_cast<double>(flooded.counters().started)},
            {"refused", static_cast<double>(flooded.counters().refused)},
            {"resident_kib", static_cast<double>(resident_kib())}};
  add_latency(f, l.latency);
  return f;
}

}  // namespace

int run_flood(std::span<char* const> arguments) {
  const auto with = [](bool flood, int workers) {
    return [=](const trial_options& o) {
      return one_round(flood, workers, std::chrono::round<duration>(std::chrono::duration<double>{o.seconds}));
    };
  };
  const trial_suite suite{.suite = "flood",
                          .question =
                              "Latency of a service called 1,000 times a second while another one gets 200,000 calls a "
                              "second of 50 us each. (R14)",
                          .all = {{"weft, unloaded", false, 1, with(false, 1)},
                                  {"weft, flood on the same worker", false, 1, with(true, 1)},
                                  {"weft, flood on a worker of its own", false, 1, with(true, 2)}},
                          .figure = "p99_us",
                          .rounds = 5,
                          .seconds = 2,
                          .quick_seconds = 1};
  return run_trials(suite, arguments);
}

}  // namespace weft::bench
