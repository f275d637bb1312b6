#pragma once
#include <grpcpp/support/byte_buffer.h>

#include <string>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/unary.hpp>

namespace weft::detail {

/// A unary call of a service in this process, in bytes as one to a peer. On the caller's worker.
///
/// It ends when its owner has let go of it and the service of the call, for which it answers where that comes from.
class local_exchange final : public exchange, call_listener, call_origin, public pooled {
 public:
  /// Serialises `request`; an error comes out of `start`.
  local_exchange(rpc_service& to, const served_method& method, const google::protobuf::MessageLite& request);

  /// Whoever asks, for the order and the cycles of waits among handlers.
  class asker : public exchange::owner {
   public:
    /// The task that waits; null when none does.
    virtual const context* waiting() const noexcept = 0;

   protected:
    ~asker() = default;
  };
  /// Before `start`: the task on whose behalf, if any.
  void on_behalf_of(const context* caller, const asker& a) noexcept {
    caller_ = caller;
    asker_ = &a;
  }
  /// See `wait::blocked_by`.
  const context* blocked_by() const noexcept { return call_ ? call_->blocked_by() : nullptr; }

  status start(owner& o, worker& home, time_point deadline, const call_extras* extras) noexcept override;
  void cancel() noexcept override;
  status outcome() const override { return status_; }
  status take(google::protobuf::MessageLite& reply) override;
  void take_metadata(call_extras& into) override;

 private:
  void end() noexcept override;

  void completed() noexcept override;
  const context* waiting_task() const noexcept override { return asker_ != nullptr ? asker_->waiting() : nullptr; }

  const metadata& received() override { return sent_; }
  std::string peer() const override { return "local"; }
  const std::string& identity() const override { return nobody_; }
  bool request_came_compressed() noexcept override { return false; }
  void call_gone() noexcept override;

  rpc_service& to_;
  const served_method& method_;
  grpc::ByteBuffer request_;
  status status_;  // why it does not begin; then how it ended
  grpc::ByteBuffer reply_;
  metadata sent_;  // the handler may read it when the caller is gone
  metadata headers_;
  metadata trailers_;
  const std::string nobody_;
  owner* owner_ = nullptr;
  const context* caller_ = nullptr;
  const asker* asker_ = nullptr;
  call_holder call_;
  bool replied_ = false;     // metadata came
  bool at_service_ = false;  // until `call_gone`
  bool ended_ = false;
};

}  // namespace weft::detail
