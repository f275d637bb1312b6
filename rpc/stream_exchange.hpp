#pragma once
#include <memory>
#include <optional>
#include <string>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/detail/grpc.hpp>
#include <weft/rpc/guide.hpp>
#include <weft/rpc/method.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/stream.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft::detail {

/// A streaming call on its way through gRPC, in bytes, of whatever kind: on the wire all are the same. Made and destroyed on
/// the caller's worker; a task on the polling one carries messages between its pipes and gRPC, and brings it back. Where the
/// peer has middleware, that task is the rest of the call, and the middleware brings it back.
class stream_exchange final : public call_of<unit>, public stream_end, outgoing_call, guided_call {
 public:
  /// Null: it cannot be made, and fails with UNIMPLEMENTED.
  stream_exchange(std::shared_ptr<channel> to, const method_info& method);

  const std::shared_ptr<byte_pipe>& requests() const noexcept { return requests_; }
  const std::shared_ptr<byte_pipe>& replies() const noexcept { return replies_; }

  void cut(const status& why) noexcept override;

 private:
  struct homeward final : work {
    explicit homeward(stream_exchange& x) noexcept : exchange{x} {}
    void run() noexcept override { exchange.came_back(); }
    stream_exchange& exchange;
  };

  // gRPC keeps the deadline too, and as a rule is first. But what it is writing to a connection that takes nothing holds up
  // the end of the call until the connection moves or is given up.
  struct deadline_timer final : timer {
    explicit deadline_timer(stream_exchange& x) noexcept : exchange{x} {}
    void expired() noexcept override {
      exchange.give_up(deadline_exceeded(std::string{exchange.name()} + " took too long"));
    }
    stream_exchange& exchange;
  };
  static constexpr duration grpc_first = std::chrono::milliseconds{50};

  const char* name() const noexcept override { return method_.path; }
  status depart(worker& home, time_point deadline, const context* caller) noexcept override;
  void cancel() noexcept override;
  bool referenced() const noexcept override { return guide_ && guide_->referenced(); }
  result<unit> take_reply() override;

  void begin_rest(time_point deadline, const call_extras& extras) noexcept override;
  void give_up_rest() noexcept override { context_->TryCancel(); }
  void passed(status outcome) noexcept override;
  void came_home() noexcept override { came_back(); }
  void guide_let_go() noexcept override { end_if_done(); }

  void cancel_for_shutdown() noexcept override { context_->TryCancel(); }

  void connect(worker& home) noexcept;
  void arm(time_point deadline) noexcept;
  // What follows on the call is neither written nor read.
  void end_pipes() noexcept;
  bool carry() noexcept;
  // The task, and its two directions.
  task<> run();
  static task<> both_ways(stream_exchange* x, scope& s);
  void send_headers_home();
  task<> send();
  task<> receive();

  const std::shared_ptr<channel> channel_;  // the peer may be gone before gRPC has let go of the call
  const method_info& method_;
  worker* home_ = nullptr;
  homeward homeward_{*this};
  deadline_timer deadline_{*this};
  const std::shared_ptr<byte_pipe> requests_ = std::make_shared<byte_pipe>(stream_limit);
  const std::shared_ptr<byte_pipe> replies_ = std::make_shared<byte_pipe>(stream_limit);
  grpc::Status status_{grpc::StatusCode::UNAVAILABLE, "the runtime has ended"};  // until gRPC says another
  std::unique_ptr<guide> guide_;                                                 // where the peer has middleware
  metadata headers_here_;                                                        // for it: those of the reply
  bool ended_ = false;                                                           // the task
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<client_byte_stream> stream_;
};

}  // namespace weft::detail
