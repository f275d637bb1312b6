#include <weft/bench/rpc/weft_unary.hpp>

#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "echo.weft.hpp"

namespace weft::bench {
namespace {

using ::bench::v1::Echo;
using ::bench::v1::EchoReply;
using ::bench::v1::EchoRequest;

struct echo final : Echo::service {
  echo(runtime& rt, duration delay) : service{rt, {.name = Echo::full_name, .mailbox = 100'000}}, delay_{delay} {}
  weft::reply<EchoReply> Say(EchoRequest& request) override {
    if (delay_ > duration::zero()) co_await ok(co_await sleep_for(delay_));
    EchoReply reply;
    reply.mutable_payload()->swap(*request.mutable_payload());
    co_return reply;
  }

 private:
  duration delay_;
};

rpc_options options_for(const weft_setup& setup) {
  rpc_options options;
  options.runtime.spin = setup.spin;
  options.process_setup = setup.weft_defaults;
  return options;
}

task<> caller(Echo::client client, const EchoRequest& request, duration deadline, closed_loop& loop) {
  auto began = closed_loop::clock::now();
  for (;;) {
    const auto reply = co_await client.Say(request, within{deadline});
    if (!reply.ok()) {
      loop.failed(reply.status().to_string());
      co_return;
    }
    if (reply->payload().size() != request.payload().size()) {
      loop.failed("a reply without the payload");
      co_return;
    }
    if (!loop.succeeded(began)) co_return;
  }
}

task<> callers(std::vector<Echo::client> clients, int outstanding, std::size_t payload, duration deadline,
               closed_loop* loop, scope& s) {
  EchoRequest request;
  request.set_payload(std::string(payload, 'x'));
  std::vector<started<void>> all;
  for (std::size_t i = 0; i < static_cast<std::size_t>(outstanding); ++i) {
    all.push_back(s.start(caller(clients[i % clients.size()], request, deadline, *loop)));
  }
  for (auto& one : all) co_await std::move(one);
}

}  // namespace

void serve_weft(parent_link& parent, const weft_setup& setup) {
  rpc_runtime rt{options_for(setup)};
  echo service{rt, setup.delay};
  server server{rt};
  server.add(service);
  if (auto s = server.start(); !s.ok()) throw std::runtime_error{s.to_string()};
  parent.announce(server.port());
  parent.wait_until_released();
  server.stop(std::chrono::seconds{1});
  service.stop_and_wait();
}

run_result call_weft(const std::string& target, int outstanding, std::size_t payload, duration deadline,
                     const load& load, const weft_setup& setup) {
  rpc_runtime rt{options_for(setup)};
  peer_options options{.retries = setup.retries, .grpc_retries = setup.grpc_retries};
  if (!setup.weft_defaults) {
    options.grpc_retries = true;
    options.keepalive = duration::zero();
  }
  peer to{rt, target, options};
  weft::session session{to};
  std::vector<Echo::client> clients;
  if (setup.session) {
    for (std::uint64_t key = 1; key <= 64; ++key) clients.emplace_back(session.ordered(key));
  } else {
    clients.emplace_back(to);
  }
  EchoRequest hello;
  const auto first = sync_wait(rt, as_task(clients.front().Say(hello, within{deadline})));  // connects
  if (!first.ok()) return {.errors = 1, .error = first.status().to_string()};
  closed_loop loop{load};
  sync_wait(rt, with_scope(&callers, std::move(clients), outstanding, payload, deadline, &loop));
  return loop.result();
}

}  // namespace weft::bench
