// Numbers for Prometheus: calls by method and code, services, the server. `metrics 127.0.0.1:9464` serves them at
// http://127.0.0.1:9464/metrics until it is interrupted; without an address it prints them and ends.
#include <prometheus/exposer.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/prometheus/call_metrics.hpp>
#include <weft/rpc/prometheus/runtime_metrics.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "table.weft.hpp"

namespace {

using namespace std::chrono_literals;
using namespace cookbook::v1;

struct wallet : Wallet::service {
  using service::service;
  weft::reply<ReserveReply> Reserve(ReserveRequest& request) override {
    if (request.coins() > left) co_return weft::failed_precondition("too few coins are left");
    left -= request.coins();
    co_return ReserveReply{};
  }
  int left = 100;
};

weft::task<> play(Wallet::client coins) {
  for (int i = 0; i < 4; ++i) {
    ReserveRequest request;
    request.set_coins(30);
    const auto reply = co_await coins.Reserve(request, weft::within{2s});
    std::cout << "30 coins: " << reply.status() << "\n";
  }
}

weft::task<> wait_for_signal(weft::signals* asked) { static_cast<void>(co_await asked->next()); }

bool has(const std::string& text, const std::string& line) { return text.find(line + "\n") != std::string::npos; }

}  // namespace

int main(int argc, char** argv) {
  const std::string address = argc > 1 ? argv[1] : "127.0.0.1:0";
  if (argc > 2 || address.starts_with("-")) {
    (address == "--help" ? std::cout : std::cerr) << "usage: metrics [HOST:PORT]\n";
    return address == "--help" ? 0 : 2;
  }
  // [metrics]
  const auto registry = std::make_shared<prometheus::Registry>();
  const weft::call_metrics calls{*registry};
  weft::server_options options;
  options.middleware = {calls.incoming()};
  // [metrics]
  weft::rpc_runtime rt;
  wallet coins{rt};
  weft::server server{rt, std::move(options)};
  server.add(coins);
  if (auto s = server.start(); !s.ok()) {
    std::cerr << "metrics: " << s << "\n";
    return 1;
  }
  weft::peer_options counted;
  counted.middleware = {calls.outgoing()};
  weft::peer there{rt, server.address(), counted};

  std::string text;
  {
    // [expose]
    const auto running = std::make_shared<weft::runtime_metrics>(rt, &server);
    prometheus::Exposer exposer{address};  // threads of its own; goes before what it reads
    exposer.RegisterCollectable(registry);
    exposer.RegisterCollectable(running);
    // [expose]
    std::cout << "http://127.0.0.1:" << exposer.GetListeningPorts().at(0) << "/metrics\n";
    weft::sync_wait(rt, play(there));
    if (argc > 1) {
      weft::io io;
      weft::signals asked{io, {SIGINT, SIGTERM}};
      weft::sync_wait(rt, wait_for_signal(&asked));
    }
    const prometheus::TextSerializer write;
    text = write.Serialize(registry->Collect()) + write.Serialize(running->Collect());
  }
  server.stop(1s);
  coins.stop_and_wait();
  if (argc > 1) return 0;
  std::cout << text;
  const std::string which = R"(grpc_method="Reserve",grpc_service="cookbook.v1.Wallet",grpc_type="unary")";
  const bool right = has(text, R"(grpc_server_handled_total{grpc_code="OK",)" + which + "} 3") &&
                     has(text, R"(grpc_client_handled_total{grpc_code="FailedPrecondition",)" + which + "} 1") &&
                     has(text, "weft_server_calls_total 4");
  if (!right) std::cerr << "metrics: not what should have been counted\n";
  return right ? 0 : 1;
}
