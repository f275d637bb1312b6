// asio-grpc (3.x) with Asio's awaitables, on one thread: what the suite `unary` calls "asio-grpc". It is built where
// find_package(asio-grpc) finds it; Debian has none.
//
// usage: asio-grpc-peer serve
//        asio-grpc-peer call unary --target ADDRESS --concurrency N --payload B --seconds S --warm-up S --server-pid P

#include <agrpc/asio_grpc.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <weft/bench/rpc/measure.hpp>

#include "echo.grpc.pb.h"

namespace {

namespace asio = boost::asio;
using bench::v1::Echo;
using bench::v1::EchoReply;
using bench::v1::EchoRequest;
using weft::bench::closed_loop;

constexpr std::chrono::seconds deadline{5};

void serve() {
  using say = agrpc::ServerRPC<&Echo::AsyncService::RequestSay>;
  Echo::AsyncService service;
  grpc::ServerBuilder builder;
  agrpc::GrpcContext context{builder.AddCompletionQueue()};
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server || port == 0) throw std::runtime_error{"cannot listen on 127.0.0.1"};
  agrpc::register_awaitable_rpc_handler<say>(
      context, service,
      [](say& rpc, EchoRequest& request) -> asio::awaitable<void> {
        EchoReply reply;
        reply.set_payload(request.payload());
        co_await rpc.finish(reply, grpc::Status::OK, asio::use_awaitable);
      },
      asio::detached);
  weft::bench::parent_link parent;
  parent.announce(port);
  const std::jthread stopper{[&] {
    parent.wait_until_released();
    server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds{1});
  }};
  context.run();
}

asio::awaitable<void> caller(agrpc::GrpcContext& context, Echo::Stub& stub, const EchoRequest& request,
                             closed_loop& loop) {
  using say = agrpc::ClientRPC<&Echo::Stub::PrepareAsyncSay>;
  EchoReply reply;
  for (auto began = closed_loop::clock::now();;) {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + deadline);
    const auto status = co_await say::request(context, stub, call, request, reply, asio::use_awaitable);
    if (!status.ok() || reply.payload().size() != request.payload().size()) {
      loop.failed(status.ok() ? "a reply without the payload" : status.error_message());
      co_return;
    }
    if (!loop.succeeded(began)) co_return;
  }
}

std::chrono::nanoseconds nanoseconds(const std::string& seconds) {
  return std::chrono::round<std::chrono::nanoseconds>(std::chrono::duration<double>{std::stod(seconds)});
}

void call(const std::map<std::string, std::string>& flags) {
  const auto channel = grpc::CreateChannel(flags.at("--target"), grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + deadline))
    throw std::runtime_error{"cannot connect"};
  Echo::Stub stub{channel};
  agrpc::GrpcContext context;
  EchoRequest request;
  request.set_payload(std::string(std::stoul(flags.at("--payload")), 'x'));
  closed_loop loop{{.warm_up = nanoseconds(flags.at("--warm-up")),
                    .measured = nanoseconds(flags.at("--seconds")),
                    .server = std::stoi(flags.at("--server-pid"))}};
  for (int i = std::stoi(flags.at("--concurrency")); i > 0; --i)
    asio::co_spawn(context, caller(context, stub, request, loop), asio::detached);
  context.run();
  std::cout << weft::bench::to_line(loop.result()) << std::endl;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "serve") {
    serve();
    return 0;
  }
  if (verb != "call") {
    std::cerr << "usage: asio-grpc-peer serve | call unary FLAGS\n";
    return 2;
  }
  std::map<std::string, std::string> flags;
  for (int i = 3; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  call(flags);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "asio-grpc-peer: " << error.what() << '\n';
  return 1;
}
