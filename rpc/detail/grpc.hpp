#pragma once
// Everything of gRPC that looks internal is used here and nowhere else:
// Service::RequestAsyncUnary, RpcServiceMethod, RpcMethod with a channel, ClientAsyncResponseReaderHelper,
// CallOpSet with CallHook, CompletionQueueTag, grpc_call_failed_before_recv_message, grpc_call_test_only_get_message_flags.
#include <grpcpp/channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/rpc_method.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <memory>
#include <string>
#include <weft/rpc/completion_queue.hpp>

#if GRPC_CPP_VERSION_MAJOR != 1 || GRPC_CPP_VERSION_MINOR < 51
#error "weft's use of gRPC's interfaces was checked from 1.51 on"
#endif

// What gRPC's own interop tests ask whether a message came compressed. A later version may not have it.
__attribute__((weak)) std::uint32_t grpc_call_test_only_get_message_flags(grpc_call* call);

namespace grpc::testing {

// The friend by which a client's context shows its call.
class InteropClientContextInspector {
 public:
  static grpc_call* call_of(ClientContext& context) noexcept { return context.call_; }
};

}  // namespace grpc::testing

namespace weft::detail {

/// Whether the last message that was received came compressed.
inline bool came_compressed(grpc_call* call) noexcept {
  constexpr std::uint32_t compressed = 0x40000000U;  // GRPC_WRITE_INTERNAL_TEST_ONLY_WAS_COMPRESSED
  return grpc_call_test_only_get_message_flags != nullptr &&
         (grpc_call_test_only_get_message_flags(call) & compressed) != 0;
}
inline bool came_compressed(grpc::ServerContext& context) noexcept { return came_compressed(context.c_call()); }
inline bool came_compressed(grpc::ClientContext& context) noexcept {
  return came_compressed(grpc::testing::InteropClientContextInspector::call_of(context));
}

/// A method as the client's channel knows it: registered once, so that a call copies no path.
using client_method = grpc::internal::RpcMethod;

inline client_method register_method(const char* path, const std::shared_ptr<grpc::Channel>& channel) {
  return {path, /*suffix_for_stats=*/nullptr, grpc::internal::RpcMethod::NORMAL_RPC, channel};
}

/// A unary call of byte buffers, prepared but not started. It lives in the call's arena: destroy it before the context.
inline std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>>
prepare_unary(grpc::Channel& channel, const client_method& method, grpc::ClientContext& context,
              const grpc::ByteBuffer& request, grpc::CompletionQueue& queue) {
  return std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>>{
      grpc::internal::ClientAsyncResponseReaderHelper::Create<grpc::ByteBuffer>(&channel, &queue, method, &context,
                                                                                request)};
}

/// A call of byte buffers both ways, of any kind.
using client_byte_stream = grpc::ClientAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;
using server_byte_stream = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

/// One that is prepared but not started.
inline std::unique_ptr<client_byte_stream> prepare_stream(const std::shared_ptr<grpc::Channel>& channel,
                                                          const char* path, grpc::ClientContext& context,
                                                          grpc::CompletionQueue& queue) {
  return grpc::GenericStub{channel}.PrepareCall(&context, path, &queue);
}

/// A read of the server that tells the end of the requests from a call that failed, which gRPC's own `Read` does not: its
/// ok is false for both.
class server_read final : grpc::internal::CallHook {
 public:
  enum class outcome { message, end, failed };

  /// One at a time; `into` and *this live until the tag has come.
  void start(grpc::ServerContext& context, grpc::ByteBuffer& into, grpc::CompletionQueue& queue, void* tag) {
    operation_.set_output_tag(tag);
    operation_.RecvMessage(&into);
    operation_.AllowNoMessage();
    grpc::internal::Call{context.c_call(), this, &queue}.PerformOps(&operation_);
  }
  /// What the tag that came with `ok` says. It is not ok for a message that gRPC refuses (too large, or not to be
  /// decompressed); a client that is gone is told apart by gRPC's flag.
  outcome came(bool ok, grpc::ServerContext& context) const noexcept {
    if (ok && operation_.got_message) return outcome::message;
    return ok && grpc_call_failed_before_recv_message(context.c_call()) == 0 ? outcome::end : outcome::failed;
  }

 private:
  void PerformOpsOnCall(grpc::internal::CallOpSetInterface* operations, grpc::internal::Call* call) override {
    operations->FillOps(call);
  }
  grpc::internal::CallOpSet<grpc::internal::CallOpRecvMessage<grpc::ByteBuffer>> operation_;
};

/// A service whose methods take and return byte buffers. Measured as fast as generated code; the generic service is
/// not (0.89 at 512 calls outstanding).
class byte_service final : public grpc::Service {
 public:
  /// Returns the method's index. Before the server starts.
  int add_unary(const char* path) { return add(path, grpc::internal::RpcMethod::NORMAL_RPC); }
  /// Of whatever kind: a single request or reply is a stream of one.
  int add_streaming(const char* path) { return add(path, grpc::internal::RpcMethod::BIDI_STREAMING); }

  void request(int method, grpc::ServerContext& context, grpc::ByteBuffer& request,
               grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>& responder, grpc::ServerCompletionQueue& queue,
               void* tag) {
    RequestAsyncUnary(method, &context, &request, &responder, &queue, &queue, tag);
  }
  void request(int method, grpc::ServerContext& context, server_byte_stream& stream, grpc::ServerCompletionQueue& queue,
               void* tag) {
    RequestAsyncBidiStreaming(method, &context, &stream, &queue, &queue, tag);
  }

 private:
  int add(const char* path, grpc::internal::RpcMethod::RpcType type) {
    AddMethod(new grpc::internal::RpcServiceMethod(path, type, nullptr));
    MarkMethodAsync(count_);
    return count_++;
  }
  int count_ = 0;
};

/// The begin of a server's shutdown, which `grpc::Server::Shutdown` then finds begun. Does not block.
class server_shutdown final : grpc::internal::CompletionQueueTag {
 public:
  /// Once; `tag` comes when the server has shut down, until when *this lives.
  void start(grpc::Server& server, grpc::CompletionQueue& queue, void* tag) {
    tag_ = tag;
    grpc::internal::CompletionQueueTag& self = *this;
    grpc_server_shutdown_and_notify(server.c_server(), queue.cq(), &self);
  }

 private:
  bool FinalizeResult(void** tag, bool* /*status*/) override {
    *tag = tag_;
    return true;
  }
  void* tag_ = nullptr;
};

}  // namespace weft::detail
