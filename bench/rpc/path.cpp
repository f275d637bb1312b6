#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#include <weft/bench/rpc/frame_source.hpp>
#include <weft/bench/rpc/other_program.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/bench/rpc/weft_unary.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/service.hpp>

#include "echo.weft.hpp"

// The mission's own path: TCP frame -> gate -> player coroutine -> service by RPC -> reply frame, open loop. The
// source of frames has a core, gate and service share the other one; the source is the same for all.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Echo;
using ::bench::v1::EchoRequest;

constexpr int connections = 64;

// The gate.

task<> play(std::unique_ptr<link> link, Echo::client to) {
  EchoRequest request;
  while (auto m = co_await link->receive()) {
    request.set_payload(std::move(*m));
    auto reply = co_await to.Say(request);
    if (!reply.ok()) co_return;  // which the source of frames sees
    if (const auto s = link->send(std::move(*reply->mutable_payload())); !s.ok()) co_return;
  }
}

task<> accept_players(tcp_listener* at, peer* to, session* over, service* gate) {
  for (std::uint64_t player = 1;; ++player) {
    auto link = co_await at->accept();
    if (!link) co_return;
    gate->start("player", &play, std::move(link),
                over != nullptr ? Echo::client{over->ordered(player)} : Echo::client{*to});
  }
}

template <bool Session>
void serve_gate(parent_link& parent) {
  pin_to_core(server_core);
  child_process chat{{"path", "--serve", "service"}};
  rpc_runtime rt;
  io where;
  service gate{rt, {.name = "gate"}};
  peer to{rt, "127.0.0.1:" + std::to_string(announced_port(chat, 10s))};
  session over{to};
  auto listener = tcp_listen(where, gate.strand(), "127.0.0.1:0");
  if (!listener.ok()) throw std::runtime_error{listener.status().to_string()};
  gate.start("way in", &accept_players, listener->get(), &to, Session ? &over : nullptr, &gate);
  parent.announce((*listener)->port());
  parent.wait_until_released();
  (*listener)->close();
  gate.stop_and_wait(stop_mode::abort);
  listener->reset();
  where.stop();
}

// A frame's share of what a process did.
void add_work(figures& f, const std::string& process, const process_work& before, const process_work& after,
              double frames) {
  f[process + "_cpu_us"] = std::chrono::duration<double, std::micro>(after.cpu - before.cpu).count() / frames;
  f[process + "_wake_ups"] = static_cast<double>(after.wake_ups - before.wake_ups) / frames;
}

figures run_path(const char* gate, int rate, const trial_options& o) {
  child_process server{{"path", "--serve", gate}};
  const int port = announced_port(server, 10s);
  pin_to_core(client_core);
  const auto services = children_of(server.pid());
  if (services.size() != 1) throw std::runtime_error{"the gate has not one child, its service"};
  frame_source frames{port, connections};
  const frame_source::plan plan{.per_second = rate, .seconds = o.seconds};
  const auto gate_before = work_of(server.pid());
  const auto service_before = work_of(services.front());
  const auto got = frames.run(plan);
  figures f{{"calls_per_s", got.answered_per_second}, {"offered_per_s", got.due_per_second}};
  add_latency(f, got.latency[0]);
  const auto sent = got.due_per_second * (o.seconds + std::chrono::duration<double>(plan.warm_up).count());
  add_work(f, "gate", gate_before, work_of(server.pid()), sent);
  add_work(f, "service", service_before, work_of(services.front()), sent);
  return f;
}

void serve_service(parent_link& parent) {
  pin_to_core(server_core);
  serve_weft(parent, {});
}

// The gate and its service in Go: two programs on the same core.
void serve_go_gate(parent_link&) {
  pin_to_core(server_core);
  become_go({"gate"});
}

}  // namespace

int run_path(std::span<char* const> arguments) {
  std::vector<trial> all;
  for (const int rate : {1'000, 5'000, 10'000, 20'000, 40'000, 80'000}) {
    const auto from = [rate](const char* gate) {
      return [rate, gate](const trial_options& o) { return run_path(gate, rate, o); };
    };
    all.push_back({"weft gate, session", false, rate, from("weft session")});
    all.push_back({"weft gate, unary", false, rate, from("weft unary")});
    if (has_go()) all.push_back({"Go gate, grpc-go", true, rate, from("go")});
  }
  return run_trials({.suite = "path",
                     .question =
                         "Latency from a frame's due time to its reply, by frames offered a second: TCP frame, gate, "
                         "player, service by RPC, reply frame.",
                     .all = std::move(all),
                     .figure = "p99_us",
                     .rounds = 3,
                     .seconds = 1.5,
                     .servers = {{"weft session", serve_gate<true>},
                                 {"weft unary", serve_gate<false>},
                                 {"service", serve_service},
                                 {"go", serve_go_gate}}},
                    arguments);
}

}  // namespace weft::bench
