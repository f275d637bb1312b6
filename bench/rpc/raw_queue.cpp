#include <weft/bench/rpc/raw_queue.hpp>

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <stdexcept>
#include <string_view>

#include "echo.pb.h"

namespace weft::bench {

namespace {

using namespace std::chrono_literals;
using ::bench::v1::EchoReply;
using ::bench::v1::EchoRequest;

constexpr const char* method_name = "/bench.v1.Echo/Say";

}  // namespace

// What grpc_cpp_plugin generates as Echo::AsyncService.
class raw_server::service : public grpc::Service {
 public:
  service() {
    AddMethod(new grpc::internal::RpcServiceMethod(method_name, grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
    MarkMethodAsync(0);
  }

  void request_say(grpc::ServerContext* context, EchoRequest* request,
                   grpc::ServerAsyncResponseWriter<EchoReply>* responder, grpc::ServerCompletionQueue* queue,
                   void* tag) {
    RequestAsyncUnary(0, context, request, responder, queue, queue, tag);
  }
};

class raw_server::call {
 public:
  explicit call(raw_server& server) : server_{server} {}

  void arm() {
    state_ = state::waiting;
    context_.emplace();
    responder_.emplace(&*context_);
    ++server_.outstanding_;
    server_.service_->request_say(&*context_, &request_, &*responder_, server_.queue_.get(), this);
  }

  void proceed(bool ok) {
    --server_.outstanding_;
    if (state_ == state::waiting && ok) {
      state_ = state::replying;
      server_.arm();
      reply_.mutable_payload()->swap(*request_.mutable_payload());
      ++server_.outstanding_;
      responder_->Finish(reply_, grpc::Status::OK, this);
      return;
    }
    responder_.reset();
    context_.reset();
    server_.idle_.push_back(this);
  }

 private:
  enum class state : char { waiting, replying };

  raw_server& server_;
  state state_ = state::waiting;
  EchoRequest request_;
  EchoReply reply_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<EchoReply>> responder_;
};

raw_server::raw_server(const raw_server_options& options)
    : pre_armed_{options.pre_armed}, service_{std::make_unique<service>()} {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  for (const auto& [name, value] : options.arguments) builder.AddChannelArgument(name, value);
  builder.RegisterService(service_.get());
  queue_ = builder.AddCompletionQueue();
  server_ = builder.BuildAndStart();
  if (!server_ || port_ == 0) throw std::runtime_error{"cannot listen on 127.0.0.1"};
}

raw_server::~raw_server() {
  server_->Shutdown();
  queue_->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
  }
}

void raw_server::arm() {
  if (idle_.empty()) idle_.push_back(&calls_.emplace_back(*this));
  call& next = *idle_.back();
  idle_.pop_back();
  next.arm();
}

// Stopping, without a lock between the two threads:
// 1. stop() shuts the server down while serve() goes on polling: armed requests come back with !ok, calls end.
// 2. stop() fires the alarm. It does not touch the queue otherwise: no operation of serve() meets a queue shut down.
// 3. serve() sees the alarm's tag, null, and returns when no other tag is out. A request armed after 1 comes back
//    with !ok.
// 4. The destructor shuts the queue.
void raw_server::serve() {
  for (int i = 0; i < pre_armed_; ++i) arm();
  bool stopping = false;
  while (!stopping || outstanding_ > 0) {
    void* tag = nullptr;
    bool ok = false;
    queue_->Next(&tag, &ok);
    if (tag == nullptr) stopping = true;
    else static_cast<call*>(tag)->proceed(ok);
  }
}

void raw_server::stop() {
  server_->Shutdown(std::chrono::system_clock::now() + 1s);
  stopped_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), nullptr);
}

namespace {

// The steady clock and gRPC's monotonic one are both CLOCK_MONOTONIC: gRPC need not read a clock for the deadline.
gpr_timespec to_timespec(closed_loop::clock::time_point time) {
  const auto since = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since);
  return {.tv_sec = seconds.count(),
          .tv_nsec = static_cast<std::int32_t>((since - seconds).count()),
          .clock_type = GPR_CLOCK_MONOTONIC};
}

std::shared_ptr<grpc::Channel> make_channel(const raw_client_options& options) {
  grpc::ChannelArguments arguments;
  for (const auto& [name, value] : options.arguments) arguments.SetInt(name, value);
  return grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

class raw_client::call {
 public:
  struct shared {
    grpc::Channel& channel;
    grpc::CompletionQueue& queue;
    const grpc::internal::RpcMethod& method;
    const EchoRequest& request;
    std::optional<std::chrono::nanoseconds> deadline;
    closed_loop& loop;
    std::size_t outstanding = 0;
  };

  call(shared& all, closed_loop::clock::time_point now) : all_{all}, began_{now} {}

  void start() {
    reader_.reset();  // it lives in the call that the context holds
    context_.emplace();
    if (all_.deadline) context_->set_deadline(to_timespec(began_ + *all_.deadline));
    // PrepareAsyncSay of a generated stub, StartCall, Finish.
    reader_.reset(
        grpc::internal::ClientAsyncResponseReaderHelper::Create<EchoReply, EchoRequest, google::protobuf::MessageLite,
                                                                google::protobuf::MessageLite>(
            &all_.channel, &all_.queue, all_.method, &*context_, all_.request));
    reader_->StartCall();
    ++all_.outstanding;
    reader_->Finish(&reply_, &status_, this);
  }

  void proceed() {
    --all_.outstanding;
    if (!status_.ok())
      all_.loop.failed("status " + std::to_string(status_.error_code()) + ": " + status_.error_message());
    else if (reply_.payload().size() != all_.request.payload().size()) all_.loop.failed("a reply without the payload");
    else if (all_.loop.succeeded(began_)) start();
  }

 private:
  shared& all_;
  closed_loop::clock::time_point began_;
  EchoReply reply_;
  grpc::Status status_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<EchoReply>> reader_;
};

raw_client::raw_client(raw_client_options options) : options_{std::move(options)}, channel_{make_channel(options_)} {}

raw_client::~raw_client() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

run_result raw_client::run(const load& load) {
  if (!channel_->WaitForConnected(std::chrono::system_clock::now() + 5s))
    return {.errors = 1, .error = "cannot connect to " + options_.target};

  EchoRequest request;
  request.set_payload(std::string(options_.payload, 'x'));
  const grpc::internal::RpcMethod method{method_name, grpc::internal::RpcMethod::NORMAL_RPC, channel_};

  closed_loop loop{load};
  call::shared all{*channel_, queue_, method, request, options_.deadline, loop};
  std::deque<call> calls;
  for (int i = 0; i < options_.outstanding; ++i) calls.emplace_back(all, closed_loop::clock::now()).start();
  while (all.outstanding > 0) {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    static_cast<call*>(tag)->proceed();
  }
  return loop.result();
}

}  // namespace weft::bench
