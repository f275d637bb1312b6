#include <stdexcept>
#include <tuple>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/bench/rpc/weft_unary.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "echo.weft.hpp"

// What do calls of 32 bytes wait while one of 1 MiB, there and back, is always on its way beside them?

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Echo;
using ::bench::v1::EchoRequest;
using clock = std::chrono::steady_clock;

constexpr std::size_t small_bytes = 32, large_bytes = 1U << 20U;
constexpr std::string_view large_alone = "1 MiB calls alone";
constexpr std::string_view small_beside = "small calls, 1 MiB calls on the same session";

struct calls {
  latency_histogram latency;
  std::uint64_t done = 0;
  std::string error;
};

task<> keep_calling(Echo::client to, std::size_t bytes, duration pause, calls* c, const bool* over) {
  EchoRequest request;
  request.set_payload(std::string(bytes, 'x'));
  while (!*over) {
    const auto began = clock::now();
    const auto reply = co_await to.Say(request);
    c->latency.add(clock::now() - began);
    ++c->done;
    if (!reply.ok()) c->error = reply.status().to_string();
    else if (reply->payload().size() != bytes) c->error = "a reply without the payload";
    if (!c->error.empty()) co_return;
    if (pause > duration::zero()) std::ignore = co_await sleep_for(pause);
  }
}

task<> side_by_side(const Echo::client* small, const Echo::client* large, duration time, calls* small_calls,
                    calls* large_calls, scope& s) {
  bool over = false;
  std::vector<started<void>> all;
  if (large != nullptr) all.push_back(s.start(keep_calling(*large, large_bytes, 0ns, large_calls, &over)));
  if (small != nullptr) all.push_back(s.start(keep_calling(*small, small_bytes, 1ms, small_calls, &over)));
  std::ignore = co_await sleep_for(time);
  over = true;
  for (auto& one : all) co_await std::move(one);
}

enum class way : std::uint8_t { same_session, another_session, another_connection, unary };

figures run(const trial_options& o, bool small, bool large, way w) {
  child_process server{{"large", "--serve", "echo"}};
  const auto address = "127.0.0.1:" + std::to_string(announced_port(server, 10s));
  rpc_runtime rt;
  peer to{rt, address};
  peer elsewhere{rt, address, {.arguments = {{"weft.bench.own_connection", 1}}}};
  session first{to};
  session second{w == way::another_connection ? elsewhere : to};
  const Echo::client of_small = w == way::unary ? Echo::client{to} : Echo::client{first.ordered(1)};
  const Echo::client of_large = w == way::unary          ? Echo::client{to}
                                : w == way::same_session ? Echo::client{first.ordered(2)}
                                                         : Echo::client{second.ordered(2)};
  calls small_calls, large_calls;
  const auto time = std::chrono::round<duration>(std::chrono::duration<double>{o.seconds});
  {
    calls ignored, ignored_too;  // connects, and grows what grows
    sync_wait(rt, with_scope(&side_by_side, &of_small, &of_large, 200ms, &ignored, &ignored_too));
  }
  sync_wait(rt, with_scope(&side_by_side, small ? &of_small : nullptr, large ? &of_large : nullptr, time, &small_calls,
                           &large_calls));
  for (const auto* c : {&small_calls, &large_calls})
    if (!c->error.empty()) throw std::runtime_error{c->error};
  figures f;
  add_latency(f, small ? small_calls.latency : large_calls.latency);
  f["calls_per_s"] = static_cast<double>(small ? small_calls.done : large_calls.done) / o.seconds;
  if (small && large) f["large_per_s"] = static_cast<double>(large_calls.done) / o.seconds;
  return f;
}

// Held up by no more than one large call's own way there and back.
std::vector<std::string> verdict(const std::vector<trial_row>& rows) {
  const auto* alone = find_row(rows, large_alone);
  const auto* beside = find_row(rows, small_beside);
  if (alone == nullptr || beside == nullptr || beside->of.at("p50_us").median <= alone->of.at("p99_us").median)
    return {};
  return {"half of the small calls wait for longer than a large one takes alone"};
}

}  // namespace

int run_large(std::span<char* const> arguments) {
  const trial_suite suite{
      .suite = "large",
      .question =
          "Latency of calls of 32 bytes, one a millisecond, beside calls of 1 MiB one after the other (issue 5).",
      .all = {{std::string{large_alone}, false, 1,
               [](const auto& o) { return run(o, false, true, way::same_session); }},
              {"small calls alone", false, 1, [](const auto& o) { return run(o, true, false, way::same_session); }},
              {std::string{small_beside}, false, 1,
               [](const auto& o) { return run(o, true, true, way::same_session); }},
              {"small calls, 1 MiB calls on another session", false, 1,
               [](const auto& o) { return run(o, true, true, way::another_session); }},
              {"small calls, 1 MiB calls on another connection", false, 1,
               [](const auto& o) { return run(o, true, true, way::another_connection); }},
              {"small unary calls, 1 MiB unary calls", false, 1,
               [](const auto& o) { return run(o, true, true, way::unary); }}},
      .figure = "p99_us",
      .rounds = 5,
      .seconds = 2,
      .servers = {{"echo", [](parent_link& parent) { serve_weft(parent, {}); }}},
      .verdict = verdict};
  return run_trials(suite, arguments);
}

}  // namespace weft::bench
