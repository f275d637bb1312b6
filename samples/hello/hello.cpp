// A service, called in the same process and over gRPC: the call site is the same.
#include <cstring>
#include <iostream>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "hello.weft.hpp"

namespace {

using hello::v1::GreetReply;
using hello::v1::GreetRequest;

// [service]
struct greeter : hello::v1::Greeter::service {
  using service::service;

  weft::reply<GreetReply> Greet(GreetRequest& request) override {
    if (request.name().empty()) co_return weft::invalid_argument("who are you?");
    GreetReply reply;
    reply.set_text("hello, " + request.name());
    reply.set_count(++greeted);  // no lock: all calls run on the service's strand
    co_return reply;
  }

  std::uint64_t greeted = 0;
};
// [service]

// [call]
weft::task<weft::status> greet(hello::v1::Greeter::client greeter, std::string name) {
  GreetRequest request;
  request.set_name(name);
  auto reply = co_await weft::ok(greeter.Greet(request));  // suspends this coroutine only
  std::cout << (greeter.local() ? "local:  " : "remote: ") << reply.text() << ", no. " << reply.count() << "\n";
  co_return weft::status{};
}
// [call]

weft::status run() {
  weft::rpc_runtime rt;
  greeter service{rt};
  weft::server server{rt};  // 127.0.0.1, a free port
  server.add(service);
  if (auto started = server.start(); !started.ok()) return started;
  weft::peer peer{rt, server.address()};

  auto outcome = weft::sync_wait(rt, greet(service, "engine"));
  if (outcome.ok()) outcome = weft::sync_wait(rt, greet(peer, "player"));
  const auto refused = weft::sync_wait(rt, greet(peer, ""));
  std::cout << "nobody: " << refused << "\n";

  server.stop();
  service.stop_and_wait();
  return outcome;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    const bool help = std::strcmp(argv[1], "--help") == 0;
    (help ? std::cout : std::cerr) << "usage: hello\nGreets by a call inside the process and by one over gRPC.\n";
    return help ? 0 : 2;
  }
  const auto outcome = run();
  if (!outcome.ok()) std::cerr << "hello: " << outcome << "\n";
  return outcome.ok() ? 0 : 1;
}
