#pragma once
#include <grpcpp/impl/codegen/call_op_set.h>

#include <coroutine>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/stream.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/task.hpp>

namespace weft::detail {

inline grpc::WriteOptions options_of(const stream_bytes& message) noexcept {
  grpc::WriteOptions options;
  if (!message.compressed) options.set_no_compression();
  return options;
}

/// Waits for one operation of a call at gRPC, begun by `start(tag)`: `co_await s` yields what its tag came with, and false
/// when the queue is shut. On the polling worker. Stop cancels the call; the tag is awaited all the same.
template <class Call, class Start>
class step final : wait, operation {
 public:
  step(completion_queue& queue, Call& call, const char* what, const Start& start) noexcept
      : wait{what}, queue_{queue}, call_{call}, start_{start} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    void* tag = queue_.begin(*this);
    if (tag == nullptr) return false;
    auto& ctx = h.promise().ctx();
    if (ctx.stopped()) call_.TryCancel();
    suspend(h, ctx, __builtin_return_address(0));
    start_(tag);
    queue_.may_have_kicked();
    return true;
  }
  bool await_resume() const noexcept { return ok_; }

 private:
  void on_event(bool ok) noexcept override {
    ok_ = ok;
    finish();
  }
  void on_stop() noexcept override { call_.TryCancel(); }

  completion_queue& queue_;
  Call& call_;
  const Start& start_;
  bool ok_ = false;
};

}  // namespace weft::detail
