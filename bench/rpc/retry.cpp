#include <arpa/inet.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_callback.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/bench/rpc/executions.hpp>
#include <weft/bench/rpc/other_program.hpp>
#include <weft/bench/rpc/raw_queue.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/table.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/bench/rpc/weft_unary.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "table.pb.h"

// R13: what is retry machinery for? What it costs while all is well: closed loops of 64 calls, the client on core 0,
// the server on core 1. What it saves: calls at a fixed rate to a server that is killed, or stopped in order, and
// started again, several times; what ran is counted in a file that outlives the servers.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Move;
using ::bench::v1::Moved;
using ::bench::v1::Table;
using clock = std::chrono::steady_clock;

constexpr int outstanding = 64;
constexpr int per_second = 2'000;
constexpr auto handler_time = 2ms;
constexpr auto deadline = 2s;
constexpr auto between_ends = 500ms;
constexpr auto down = 50ms;

// All who call again do so alike: five attempts, and a connection again after 0.1 to 2 s.
retry_policy policy() { return {.attempts = 5, .first_backoff = 100ms, .most_backoff = 1s}; }
constexpr const char* grpc_policy =
    R"({"methodConfig":[{"name":[{"service":"bench.v1.Table"},{"service":"bench.v1.Echo"}],"retryPolicy":{)"
    R"("maxAttempts":5,"initialBackoff":"0.1s","maxBackoff":"1s","backoffMultiplier":2,)"
    R"("retryableStatusCodes":["UNAVAILABLE"]}}]})";

// grpc-go before 1.40 has policies only where this is set.
void let_go_retry() { setenv("GRPC_GO_RETRY", "on", 1); }

// While all is well.

figures figures_of(const run_result& r) {
  if (r.errors != 0) throw std::runtime_error{r.error};
  return {{"calls_per_s", r.calls_per_second()},
          {"p50_us", r.p50_us},
          {"p99_us", r.p99_us},
          {"cpu_us_client", r.cpu_us_client},
          {"cpu_us_server", r.cpu_us_server}};
}

load load_of(const trial_options& o, const child_process& server) {
  return {.warm_up = 250ms,
          .measured = std::chrono::round<std::chrono::nanoseconds>(std::chrono::duration<double>{o.seconds}),
          .server = server.pid()};
}

std::string target_of(child_process& server) { return "127.0.0.1:" + std::to_string(announced_port(server, 10s)); }

figures raw(const trial_options& o, bool retries) {
  child_process server{{"unary", "--serve", "raw_cq"}};
  const auto target = target_of(server);
  pin_to_core(client_core);
  channel_arguments arguments;
  if (!retries) arguments.emplace_back(GRPC_ARG_ENABLE_RETRIES, 0);
  raw_client client{{.target = target, .arguments = arguments, .outstanding = outstanding, .deadline = 5s}};
  return figures_of(client.run(load_of(o, server)));
}

figures weft_happy(const trial_options& o, const weft_setup& setup) {
  child_process server{{"unary", "--serve", "weft unary"}};
  const auto target = target_of(server);
  pin_to_core(client_core);
  return figures_of(call_weft(target, outstanding, 32, 5s, load_of(o, server), setup));
}

figures go_happy(const trial_options& o, const char* client) {
  child_process server{{"unary", "--serve", "grpc-go"}};
  std::ostringstream with;
  with << target_of(server) << ' ' << server.pid() << ' ' << o.seconds;
  child_process calls{{"retry", "--serve", client, "--with", with.str()}};
  return figures_of(run_result_from_line(calls.read_line(60s)));
}

template <bool Policy>
void serve_go_client(parent_link& parent) {
  std::string target, server, seconds;
  std::istringstream{parent.with} >> target >> server >> seconds;
  pin_to_core(client_core);
  if constexpr (Policy) let_go_retry();
  become_go({"call", "unary", "--target", target, "--concurrency", std::to_string(outstanding), "--payload", "32",
             "--seconds", seconds, "--warm-up", "0.25", "--server-pid", server, "--service-config",
             Policy ? grpc_policy : ""});
}

// While servers come and go.

int free_port() {
  const int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(s, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(s, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw std::runtime_error{"no free port"};
  close(s);
  return ntohs(address.sin_port);
}

enum class ending : std::uint8_t { killed, in_order };

// A server at one address, which ends and comes back as long as this lives.
class mortal_server {
 public:
  mortal_server(const char* name, ending e, const executions& counted) : name_{name}, ending_{e} {
    std::ostringstream with;
    with << port_ << ' ' << counted.calls() << ' ' << counted.file();
    with_ = with.str();
    begin();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int ends() const { return ends_; }

  /// Ends it every `between_ends`, from the next time on, while the thread is not told to stop.
  std::jthread end_again_and_again() {
    return std::jthread{[this](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any told;
      std::unique_lock held{mutex};
      const auto wait = [&](clock::duration time) { return told.wait_for(held, stop, time, [] { return false; }); };
      for (;;) {
        wait(between_ends);
        if (stop.stop_requested()) return;
        if (ending_ == ending::in_order) process_->stop();
        process_.reset();  // kills it
        ++ends_;
        wait(down);
        begin();
      }
    }};
  }

 private:
  void begin() {
    process_.emplace(std::vector<std::string>{"retry", "--serve", name_, "--with", with_});
    announced_port(*process_, 10s);
  }

  const char* name_;
  ending ending_;
  int port_ = free_port();
  std::string with_;
  std::optional<child_process> process_;
  int ends_ = 0;
};

struct told {
  int port = 0;
  std::size_t calls = 0;
  std::string file;
};
told told_by(const parent_link& parent) {
  told t;
  if (!(std::istringstream{parent.with} >> t.port >> t.calls >> t.file)) throw std::runtime_error{"--with is missing"};
  return t;
}

void serve_weft_table(parent_link& parent) {
  const auto t = told_by(parent);
  const executions shared{t.file, t.calls};
  pin_to_core(server_core);
  serve_table(parent, {.play = handler_time, .executions = shared.counts(), .port = t.port});
}

void serve_go_mortal(parent_link& parent) {
  const auto t = told_by(parent);
  pin_to_core(server_core);
  become_go({"table", "--play-us", std::to_string(std::chrono::microseconds{handler_time}.count()), "--port",
             std::to_string(t.port), "--executions", t.file});
}

// What callers saw, by the number of the call.
struct seen {
  explicit seen(std::size_t calls) : failed(calls) {}
  std::vector<char> failed;
  latency_histogram latency;
  std::string example;
};

figures figures_of(const seen& s, const executions& e, int ends) {
  double failed = 0, failed_but_ran = 0, twice = 0, lost = 0;
  for (std::size_t i = 0; i < s.failed.size(); ++i) {
    failed += s.failed[i];
    failed_but_ran += static_cast<double>(s.failed[i] != 0 && e.counts()[i] > 0);
    twice += static_cast<double>(e.counts()[i] > 1);
    lost += static_cast<double>(s.failed[i] == 0 && e.counts()[i] == 0);
  }
  if (lost > 0) throw std::runtime_error{"calls were answered that never ran"};
  if (ends == 0) throw std::runtime_error{"no server ended"};
  figures f{{"calls", static_cast<double>(s.failed.size())},
            {"server_ends", ends},
            {"errors", failed},
            {"errors_though_run", failed_but_ran},
            {"run_twice", twice}};
  add_latency(f, s.latency);
  return f;
}

std::size_t calls_in(const trial_options& o) { return static_cast<std::size_t>(per_second * o.seconds); }
clock::time_point due_at(clock::time_point began, std::size_t call) {
  return began + std::chrono::nanoseconds{1'000'000'000LL / per_second} * static_cast<std::int64_t>(call);
}

task<> weft_call(Table::client to, bool idempotent, std::size_t number, clock::time_point due, seen* s) {
  Move move;
  move.set_serial(number);
  const call_options options{within{deadline}};
  auto asked = idempotent ? to.Look(move, options) : to.Play(move, options);
  const auto moved = co_await std::move(asked);
  s->latency.add(clock::now() - due);
  if (moved.ok()) co_return;
  s->failed[number] = 1;
  s->example = moved.status().to_string();
}

task<> weft_calls(Table::client to, bool idempotent, std::size_t calls, seen* s, scope& all) {
  const auto began = clock::now();
  for (std::size_t i = 0; i < calls; ++i) {
    if (due_at(began, i) > clock::now()) std::ignore = co_await sleep_until(due_at(began, i));
    std::ignore = all.start(&weft_call, to, idempotent, i, due_at(began, i), s);
  }
}

figures weft_outage(const trial_options& o, ending e, bool retries, bool idempotent) {
  const executions shared{calls_in(o)};
  mortal_server server{"table", e, shared};
  pin_to_core(client_core);
  rpc_runtime rt;
  peer_options options;
  if (retries) options.retries = {policy()};
  peer to{rt, server.address(), options};
  if (const auto s = sync_wait(rt, to.connect()); !s.ok()) throw std::runtime_error{s.to_string()};
  seen s{shared.calls()};
  {
    const auto ender = server.end_again_and_again();
    sync_wait(rt, with_scope(&weft_calls, Table::client{to}, idempotent, shared.calls(), &s));
  }
  return figures_of(s, shared, server.ends());
}

// gRPC's C++ callback API, with the retry policy that a service config gives it, or none.
figures callback_outage(const trial_options& o, ending e, bool retries) {
  const executions shared{calls_in(o)};
  mortal_server server{"table", e, shared};
  pin_to_core(client_core);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  if (retries) arguments.SetServiceConfigJSON(grpc_policy);
  const auto channel = grpc::CreateCustomChannel(server.address(), grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + 5s)) throw std::runtime_error{"cannot connect"};
  const grpc::internal::RpcMethod method{"/bench.v1.Table/Play", grpc::internal::RpcMethod::NORMAL_RPC, channel};
  seen s{shared.calls()};
  std::mutex mutex;
  std::condition_variable ended;
  std::size_t left = shared.calls();
  struct call {
    grpc::ClientContext context;
    Move move;
    Moved moved;
  };
  std::deque<call> all(shared.calls());  // the last of them must not take the channel along on a thread of gRPC's
  {
    const auto ender = server.end_again_and_again();
    const auto began = clock::now();
    for (std::size_t i = 0; i < shared.calls(); ++i) {
      const auto due = due_at(began, i);
      std::this_thread::sleep_until(due);
      auto* c = &all[i];
      c->context.set_deadline(std::chrono::system_clock::now() + deadline);
      c->move.set_serial(i);
      grpc::internal::CallbackUnaryCall<Move, Moved>(channel.get(), method, &c->context, &c->move, &c->moved,
                                                     [&, i, due](const grpc::Status& status) {
                                                       const std::scoped_lock held{mutex};
                                                       s.latency.add(clock::now() - due);
                                                       if (!status.ok()) {
                                                         s.failed[i] = 1;
                                                         s.example = status.error_message();
                                                       }
                                                       if (--left == 0) ended.notify_one();
                                                     });
    }
    std::unique_lock held{mutex};
    ended.wait(held, [&] { return left == 0; });
  }
  return figures_of(s, shared, server.ends());
}

figures go_outage(const trial_options& o, ending e, bool retries) {
  const executions shared{calls_in(o)};
  mortal_server server{"go table", e, shared};
  std::ostringstream with;
  with << server.address() << ' ' << shared.calls();
  child_process calls{{"retry", "--serve", retries ? "go caller, policy" : "go caller", "--with", with.str()}};
  if (calls.read_line(10s) != "connected") throw std::runtime_error{"cannot connect"};
  seen s{shared.calls()};
  {
    const auto ender = server.end_again_and_again();
    // One line a call: whether it failed, and its latency.
    for (std::size_t i = 0; i < shared.calls(); ++i) {
      int failed = 0;
      std::int64_t ns = 0;
      if (!(std::istringstream{calls.read_line(60s)} >> failed >> ns)) throw std::runtime_error{"not an outcome"};
      s.failed[i] = static_cast<char>(failed);
      s.latency.add(std::chrono::nanoseconds{ns});
    }
  }
  return figures_of(s, shared, server.ends());
}

template <bool Policy>
void serve_go_caller(parent_link& parent) {
  std::string target, calls;
  std::istringstream{parent.with} >> target >> calls;
  pin_to_core(client_core);
  if constexpr (Policy) let_go_retry();
  become_go({"outage", "--target", target, "--calls", calls, "--per-second", std::to_string(per_second),
             "--service-config", Policy ? grpc_policy : ""});
}

// Nothing that is not declared idempotent runs twice.
std::vector<std::string> verdict(const std::vector<trial_row>& rows) {
  std::vector<std::string> wrong;
  for (const auto& r : rows)
    if (!r.peer && r.name.find("idempotent") == std::string::npos && r.of.contains("run_twice") &&
        r.of.at("run_twice").max > 0)
      wrong.push_back(r.name + ": calls ran twice");
  return wrong;
}

}  // namespace

int run_retry(std::span<char* const> arguments) {
  std::vector<trial> all{
      {"raw_cq, gRPC's retries on (its default)", true, outstanding, [](const auto& o) { return raw(o, true); }},
      {"raw_cq, gRPC's retries off", true, outstanding, [](const auto& o) { return raw(o, false); }},
      {"weft, no policy", false, outstanding, [](const auto& o) { return weft_happy(o, {}); }},
      {"weft, a policy", false, outstanding, [](const auto& o) { return weft_happy(o, {.retries = {policy()}}); }},
      {"weft, gRPC's retries on", false, outstanding,
       [](const auto& o) { return weft_happy(o, {.grpc_retries = true}); }},
  };
  if (has_go()) {
    all.push_back({"grpc-go, retries off", true, outstanding, [](const auto& o) { return go_happy(o, "go client"); }});
    all.push_back(
        {"grpc-go, retryPolicy", true, outstanding, [](const auto& o) { return go_happy(o, "go client, policy"); }});
  }
  for (const auto end : {ending::killed, ending::in_order}) {
    const auto of = [end](const char* name) {
      return std::string{end == ending::killed ? "server killed: " : "server stopped: "} + name;
    };
    all.push_back(
        {of("weft, no policy"), false, per_second, [end](const auto& o) { return weft_outage(o, end, false, false); }});
    all.push_back(
        {of("weft, a policy"), false, per_second, [end](const auto& o) { return weft_outage(o, end, true, false); }});
    all.push_back({of("weft, a policy, idempotent method"), false, per_second,
                   [end](const auto& o) { return weft_outage(o, end, true, true); }});
    all.push_back(
        {of("gRPC C++, no policy"), true, per_second, [end](const auto& o) { return callback_outage(o, end, false); }});
    all.push_back({of("gRPC C++, retryPolicy"), true, per_second,
                   [end](const auto& o) { return callback_outage(o, end, true); }});
    if (!has_go()) continue;
    all.push_back(
        {of("grpc-go, retries off"), true, per_second, [end](const auto& o) { return go_outage(o, end, false); }});
    all.push_back({of("grpc-go, retryPolicy, wait for ready"), true, per_second,
                   [end](const auto& o) { return go_outage(o, end, true); }});
  }
  return run_trials({.suite = "retry",
                     .question =
                         "What retry machinery costs while all is well (64 calls out), and what it saves when servers "
                         "end under 2,000 calls a second: errors, and calls that ran twice. (R13)",
                     .all = std::move(all),
                     .figure = "calls_per_s",
                     .rounds = 3,
                     .seconds = 2.5,
                     .quick_seconds = 1.2,
                     .servers = {{"table", serve_weft_table},
                                 {"go table", serve_go_mortal},
                                 {"go client", serve_go_client<false>},
                                 {"go client, policy", serve_go_client<true>},
                                 {"go caller", serve_go_caller<false>},
                                 {"go caller, policy", serve_go_caller<true>}},
                     .verdict = verdict},
                    arguments);
}

}  // namespace weft::bench
