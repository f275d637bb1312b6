#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <vector>
#include <weft/bench/rpc/measure.hpp>
#include <weft/bench/rpc/suites.hpp>
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

constexpr std::string_view usage =
    "usage: weft-bench flood [--quick] [--rounds N] [--seconds N]\n\n"
    "Latency of a service called 1,000 times a second while another one gets 200,000 calls a second of 50 us each.\n\n"
    "  --rounds N   of each row, taking turns (5)\n"
    "  --seconds N  a round (2)\n"
    "  --quick      one round of one second\n";

struct row {
  const char* name;
  bool flooded;
  int workers;  // the flooded service lives on the last
  std::vector<double> p50{}, p99{}, p999{};
};

struct figures {
  latency_histogram latency;
  std::uint64_t sent = 0;
  std::uint64_t failed = 0;
};

void compute() {
  const auto until = steady::now() + work_time;
  while (steady::now() < until) {
  }
}

task<> pour(service* flooded, figures* f) {
  auto due = steady::now();
  while ((co_await sleep_until(due += 1ms)).ok()) {
    for (int i = 0; i < calls_a_millisecond; ++i) {
      ++f->sent;
      std::ignore = flooded->send(&compute);  // refused, mostly
    }
  }
}

// Each call when it is due, whether or not those before it have been answered.
task<> call_once(service* other, figures* f, steady::time_point due) {
  auto answer = [] { return 1; };
  if (!(co_await other->call(answer)).ok()) ++f->failed;
  f->latency.add(steady::now() - due);
}

task<> call_regularly(service* other, figures* f, duration how_long, scope& s) {
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

void one_round(row& r, duration how_long) {
  runtime rt{{.workers = r.workers}};
  service other{rt, {.name = "other"}};
  service source{rt, {.name = "source"}};
  service flooded{
      rt, {.name = "flooded", .worker = r.workers - 1, .reentrancy = reentrancy::exclusive, .mailbox = mailbox}};
  figures f;
  if (r.flooded) source.start(&pour, &flooded, &f);
  sync_wait(rt, with_scope(&call_regularly, &other, &f, how_long));
  source.stop_and_wait();
  flooded.stop_and_wait(stop_mode::abort);
  other.stop_and_wait();
  if (f.failed != 0) throw std::runtime_error{"calls of the service that is not flooded failed"};
  const auto us = [&](double p) { return std::chrono::duration<double, std::micro>(f.latency.percentile(p)).count(); };
  r.p50.push_back(us(50));
  r.p99.push_back(us(99));
  r.p999.push_back(us(99.9));
  std::cerr << "  " << r.name << ": p99 " << us(99) << " us; " << f.sent << " sent to the flooded one, "
            << flooded.counters().started << " run, " << flooded.counters().refused << " refused; " << resident_kib()
            << " KiB resident\n";
}

void run_rounds(int rounds, duration how_long) {
  row rows[] = {
      {"unloaded", false, 1}, {"flood on the same worker", true, 1}, {"flood on a worker of its own", true, 2}};
  for (int i = 0; i < rounds; ++i) {
    for (auto& r : rows) one_round(r, how_long);
  }
  std::cout << "latency of the other service, us      p50      p99    p99.9   p99 to unloaded\n" << std::fixed;
  for (const auto& r : rows) {
    std::cout << std::left << std::setw(32) << r.name << std::right << std::setprecision(1);
    for (const auto* p : {&r.p50, &r.p99, &r.p999}) std::cout << std::setw(9) << spread_of(*p).median;
    std::cout << std::setw(18) << spread_of(r.p99).median / spread_of(rows[0].p99).median << "\n";
  }
}

}  // namespace

int run_flood(std::span<char* const> arguments) try {
  int rounds = 5, seconds = 2;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view flag{arguments[i]};
    const auto number = i + 1 < arguments.size() ? std::atoi(arguments[i + 1]) : 0;
    if (flag == "--help") {
      std::cout << usage;
      return 0;
    }
    if (flag == "--quick") {
      rounds = seconds = 1;
    } else if ((flag == "--rounds" || flag == "--seconds") && number > 0) {
      (flag == "--rounds" ? rounds : seconds) = number;
      ++i;
    } else {
      std::cerr << "weft-bench flood: cannot use '" << flag << "'\n\n" << usage;
      return 2;
    }
  }
  run_rounds(rounds, std::chrono::seconds{seconds});
  return 0;
} catch (const std::exception& error) {
  std::cerr << "weft-bench flood: " << error.what() << '\n';
  return 1;
}

}  // namespace weft::bench
