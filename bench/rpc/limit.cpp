#include <weft/bench/rpc/other_program.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/table.hpp>
#include <weft/bench/rpc/trials.hpp>

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <tuple>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/limit.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>

// R9: a routine pool: how many calls at a time are best? 512 callers want a handler of 1 ms elsewhere, through
// `limit(n)`; in Go through n goroutines that take calls from a channel, as a routine pool does; the server is the same
// for all. A caller's latency counts from when it asks.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Move;
using ::bench::v1::Table;
using clock = std::chrono::steady_clock;

constexpr int callers = 512;
constexpr const char* table_words = "1000 0 0";  // Play takes 1 ms
constexpr auto warm_up = 300ms;

struct tally {
  clock::time_point count_from, until;
  latency_histogram latency;
  std::uint64_t calls = 0;
  std::string error;
};

task<> caller(Table::client to, limit* pool, tally* t) {
  Move move;
  for (auto began = clock::now(); began < t->until;) {
    const auto moved = co_await pool->run(to.Play(move, call_options{within{60s}}));
    const auto now = clock::now();
    if (!moved.ok()) {
      t->error = moved.status().to_string();
      co_return;
    }
    if (now >= t->count_from && now < t->until) {
      ++t->calls;
      t->latency.add(now - began);
    }
    began = now;
  }
}

task<> call_all(std::vector<Table::client> to, limit* pool, tally* t, scope& s) {
  for (std::size_t i = 0; i < callers; ++i) std::ignore = s.start(&caller, to[i % to.size()], pool, t);
  co_return;
}

figures weft_pool(const trial_options& o, int n, bool over_session) {
  child_process server{{"limit", "--serve", "table", "--with", table_words}};
  const auto address = "127.0.0.1:" + std::to_string(announced_port(server, 10s));
  pin_to_core(client_core);
  rpc_runtime rt;
  peer told{rt, address};
  session many{told};
  if (const auto s = sync_wait(rt, told.connect()); !s.ok()) throw std::runtime_error{s.to_string()};
  std::vector<Table::client> clients;
  if (!over_session) clients.emplace_back(told);
  else
    for (std::uint64_t key = 1; key <= callers; ++key) clients.emplace_back(many.ordered(key));
  limit pool{static_cast<std::size_t>(n)};
  tally t;
  t.count_from = clock::now() + warm_up;
  t.until = t.count_from + std::chrono::round<clock::duration>(std::chrono::duration<double>{o.seconds});
  sync_wait(rt, with_scope(&call_all, std::move(clients), &pool, &t));
  if (!t.error.empty()) throw std::runtime_error{t.error};
  figures f{{"calls_per_s", static_cast<double>(t.calls) / o.seconds},
            {"most_in_flight", static_cast<double>(pool.most_running())},
            {"most_at_server", static_cast<double>(counts_of_table(address).most())}};
  add_latency(f, t.latency);
  return f;
}

figures go_pool(const trial_options& o, int n) {
  child_process server{{"limit", "--serve", "table", "--with", table_words}};
  const auto address = "127.0.0.1:" + std::to_string(announced_port(server, 10s));
  std::ostringstream with;
  with << address << ' ' << n << ' ' << o.seconds;
  child_process pool{{"limit", "--serve", "go pool", "--with", with.str()}};
  figures f;
  for (auto line = pool.read_line(60s); line != "end"; line = pool.read_line(60s)) {
    const auto space = line.find(' ');
    f[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  f["most_at_server"] = static_cast<double>(counts_of_table(address).most());
  return f;
}

void serve_go_pool(parent_link& parent) {
  std::string target, n, seconds;
  std::istringstream{parent.with} >> target >> n >> seconds;
  pin_to_core(client_core);
  become_go({"pool", "--target", target, "--workers", n, "--concurrency", std::to_string(callers), "--seconds", seconds,
             "--warm-up", "0.3"});
}

// What `limit` promises, as counted at both ends.
std::vector<std::string> verdict(const std::vector<trial_row>& rows) {
  std::vector<std::string> wrong;
  for (const auto& r : rows)
    if (!r.peer && std::max(r.of.at("most_in_flight").max, r.of.at("most_at_server").max) > r.concurrency)
      wrong.push_back(r.name + ": more calls in flight than " + std::to_string(r.concurrency));
  return wrong;
}

}  // namespace

int run_limit(std::span<char* const> arguments) {
  std::vector<trial> all;
  for (const int n : {1, 4, 16, 64, 256}) {
    all.push_back({"weft limit(n), unary", false, n, [n](const auto& o) { return weft_pool(o, n, false); }});
    all.push_back({"weft limit(n), session", false, n, [n](const auto& o) { return weft_pool(o, n, true); }});
    if (has_go()) all.push_back({"grpc-go, n goroutines", true, n, [n](const auto& o) { return go_pool(o, n); }});
  }
  return run_trials({.suite = "limit",
                     .question =
                         "Throughput and latency of 512 callers through limit(n), to a handler that takes 1 ms, by n. "
                         "(R9)",
                     .all = std::move(all),
                     .figure = "calls_per_s",
                     .rounds = 3,
                     .seconds = 1.5,
                     .quick_seconds = 0.5,
                     .servers = {{"table", serve_table_as_told}, {"go pool", serve_go_pool}},
                     .verdict = verdict},
                    arguments);
}

}  // namespace weft::bench
