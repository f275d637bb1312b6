#include <weft/bench/rpc/peer_contestants.hpp>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/method_handler.h>
#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <deque>
#include <latch>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>
#include <weft/bench/rpc/other_program.hpp>

#include "echo.pb.h"

namespace weft::bench {
namespace {

using ::bench::v1::EchoReply;
using ::bench::v1::EchoRequest;
using grpc::internal::RpcMethod;

constexpr const char* method_name = "/bench.v1.Echo/Say";

// What grpc_cpp_plugin generates as Echo::CallbackService and Echo::Service. (Its classes would have the names of
// weft's.)

class callback_service final : public grpc::Service {
 public:
  callback_service() {
    AddMethod(new grpc::internal::RpcServiceMethod(method_name, RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodCallback(0, new grpc::internal::CallbackUnaryHandler<EchoRequest, EchoReply>(
                              [](grpc::CallbackServerContext* context, const EchoRequest* request, EchoReply* reply) {
                                reply->set_payload(request->payload());
                                auto* reactor = context->DefaultReactor();
                                reactor->Finish(grpc::Status::OK);
                                return reactor;
                              }));
  }
};

class sync_service final : public grpc::Service {
 public:
  sync_service() {
    AddMethod(new grpc::internal::RpcServiceMethod(
        method_name, RpcMethod::NORMAL_RPC,
        new grpc::internal::RpcMethodHandler<sync_service, EchoRequest, EchoReply>(
            [](sync_service*, grpc::ServerContext*, const EchoRequest* request, EchoReply* reply) {
              reply->set_payload(request->payload());
              return grpc::Status::OK;
            },
            this)));
  }
};

template <class Service>
void serve(parent_link& parent) {
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server || port == 0) throw std::runtime_error{"cannot listen on 127.0.0.1"};
  parent.announce(port);
  parent.wait_until_released();
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds{1});
}

// A closed loop whose calls end on several threads.
class shared_loop {
 public:
  explicit shared_loop(const call_setup& setup) : payload_{setup.payload}, loop_{setup.load} {}

  bool succeeded(const grpc::Status& status, const EchoReply& reply, closed_loop::clock::time_point& began) {
    const std::scoped_lock held{mutex_};
    if (status.ok() && reply.payload().size() == payload_) return loop_.succeeded(began);
    loop_.failed(status.ok() ? "a reply without the payload" : status.error_message());
    return false;
  }
  run_result result() const { return loop_.result(); }

 private:
  std::size_t payload_;
  std::mutex mutex_;
  closed_loop loop_;
};

std::shared_ptr<grpc::Channel> connected(const call_setup& setup) {
  auto channel = grpc::CreateChannel(setup.target, grpc::InsecureChannelCredentials());
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + call_deadline))
    throw std::runtime_error{"cannot connect to " + setup.target};
  return channel;
}

class callback_caller {
 public:
  callback_caller(grpc::Channel& channel, const RpcMethod& method, const EchoRequest& request, shared_loop& loop,
                  std::latch& ended)
      : channel_{channel}, method_{method}, request_{request}, loop_{loop}, ended_{ended} {}

  void start() {
    context_.emplace();
    context_->set_deadline(std::chrono::system_clock::now() + call_deadline);
    grpc::internal::CallbackUnaryCall<EchoRequest, EchoReply>(&channel_, method_, &*context_, &request_, &reply_,
                                                              [this](const grpc::Status& status) {
                                                                if (loop_.succeeded(status, reply_, began_)) start();
                                                                else ended_.count_down();
                                                              });
  }

 private:
  grpc::Channel& channel_;
  const RpcMethod& method_;
  const EchoRequest& request_;
  shared_loop& loop_;
  std::latch& ended_;
  closed_loop::clock::time_point began_ = closed_loop::clock::now();
  std::optional<grpc::ClientContext> context_;
  EchoReply reply_;
};

EchoRequest request_of(const call_setup& setup) {
  EchoRequest request;
  request.set_payload(std::string(setup.payload, 'x'));
  return request;
}

run_result call_by_callback(const call_setup& setup) {
  const auto channel = connected(setup);
  const RpcMethod method{method_name, RpcMethod::NORMAL_RPC, channel};
  const auto request = request_of(setup);
  shared_loop loop{setup};
  std::latch ended{setup.outstanding};
  std::deque<callback_caller> callers;
  for (int i = 0; i < setup.outstanding; ++i) callers.emplace_back(*channel, method, request, loop, ended);
  for (auto& caller : callers) caller.start();
  ended.wait();
  return loop.result();
}

grpc::Status blocking_call(grpc::Channel& channel, const RpcMethod& method, const EchoRequest& request,
                           EchoReply& reply) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + call_deadline);
  return grpc::internal::BlockingUnaryCall<EchoRequest, EchoReply>(&channel, method, &context, request, &reply);
}

run_result call_by_threads(const call_setup& setup) {
  const auto channel = connected(setup);
  const RpcMethod method{method_name, RpcMethod::NORMAL_RPC, channel};
  const auto request = request_of(setup);
  shared_loop loop{setup};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < setup.outstanding; ++i)
      callers.emplace_back([&] {
        EchoReply reply;
        auto began = closed_loop::clock::now();
        while (loop.succeeded(blocking_call(*channel, method, request, reply), reply, began)) {
        }
      });
  }
  return loop.result();
}

run_result call_by_pool(const call_setup& setup) {
  static constexpr int threads = 16;
  const auto channel = connected(setup);
  const RpcMethod method{method_name, RpcMethod::NORMAL_RPC, channel};
  const auto request = request_of(setup);
  shared_loop loop{setup};
  std::mutex mutex;
  std::condition_variable more;
  std::deque<closed_loop::clock::time_point> waiting(static_cast<std::size_t>(setup.outstanding),
                                                     closed_loop::clock::now());
  bool over = false;
  {
    std::vector<std::jthread> pool;
    for (int i = 0; i < threads; ++i)
      pool.emplace_back([&] {
        EchoReply reply;
        for (std::unique_lock held{mutex};;) {
          more.wait(held, [&] { return over || !waiting.empty(); });
          if (over) return;
          auto began = waiting.front();
          waiting.pop_front();
          held.unlock();
          const bool again = loop.succeeded(blocking_call(*channel, method, request, reply), reply, began);
          held.lock();
          if (again) {
            waiting.push_back(began);
            more.notify_one();
          } else {
            over = true;
            more.notify_all();
          }
        }
      });
  }
  return loop.result();
}

// Peers in other programs say the result line themselves.

template <int StreamWorkers>
void serve_go(parent_link&) {
  become_go({"serve", "--stream-workers", std::to_string(StreamWorkers)});
}

run_result call_elsewhere(const char* program, const call_setup& setup, const char* way) {
  const auto seconds = [](std::chrono::nanoseconds d) {
    return std::to_string(std::chrono::duration<double>(d).count());
  };
  become(program, {"call", way, "--target", setup.target, "--concurrency", std::to_string(setup.outstanding),
                   "--payload", std::to_string(setup.payload), "--seconds", seconds(setup.load.measured), "--warm-up",
                   seconds(setup.load.warm_up), "--server-pid", std::to_string(setup.load.server)});
}
run_result call_go_unary(const call_setup& setup) { return call_elsewhere(go_program, setup, "unary"); }
run_result call_go_streams(const call_setup& setup) { return call_elsewhere(go_program, setup, "each"); }
run_result call_go_batched(const call_setup& setup) { return call_elsewhere(go_program, setup, "many"); }

void serve_asio_grpc(parent_link&) { become(asio_grpc_program, {"serve"}); }
run_result call_asio_grpc(const call_setup& setup) { return call_elsewhere(asio_grpc_program, setup, "unary"); }

}  // namespace

constinit const contestant callback_api{
    .name = "callback API", .peer = true, .serve = serve<callback_service>, .call = call_by_callback};
constinit const contestant sync_threads{
    .name = "sync, thread a call", .peer = true, .serve = serve<sync_service>, .call = call_by_threads};
constinit const contestant sync_pool{
    .name = "sync, 16 threads", .peer = true, .serve = serve<sync_service>, .call = call_by_pool};
constinit const contestant go_unary{
    .name = "grpc-go", .peer = true, .serve = serve_go<0>, .call = call_go_unary, .program = go_program};
constinit const contestant go_stream_workers{.name = "grpc-go, 8 stream workers",
                                             .peer = true,
                                             .serve = serve_go<8>,
                                             .call = call_go_unary,
                                             .program = go_program};
constinit const contestant asio_grpc{
    .name = "asio-grpc", .peer = true, .serve = serve_asio_grpc, .call = call_asio_grpc, .program = asio_grpc_program};
constinit const contestant go_streams{.name = "grpc-go, stream a goroutine",
                                      .peer = true,
                                      .serve = serve_go<0>,
                                      .call = call_go_streams,
                                      .program = go_program};
constinit const contestant go_batched_stream{.name = "grpc-go, batched stream",
                                             .peer = true,
                                             .serve = serve_go<0>,
                                             .call = call_go_batched,
                                             .program = go_program};

}  // namespace weft::bench
