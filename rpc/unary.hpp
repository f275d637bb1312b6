#pragma once
#include <memory>
#include <type_traits>
#include <utility>
#include <weft/rpc/method.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/runtime/call.hpp>

namespace google::protobuf {
class MessageLite;
}
namespace grpc {
class ByteBuffer;
}

namespace weft {

class session_lane;

namespace detail {

/// A unary call on its way through gRPC, in bytes: what typed and other calls share. Made and destroyed on the caller's
/// worker, started on the polling one; `arrived` brings it back to the caller's.
class exchange {
 public:
  /// Serialises `request`; an error comes out of `start`. Through the peer's middleware, if it has any.
  static exchange* make(peer& to, const method_info& method, const google::protobuf::MessageLite& request);
  /// The same of what is serialised, by the peer's channel; not made again, whatever its policies.
  static exchange* make(std::shared_ptr<channel> to, const method_info& method, const grpc::ByteBuffer& request);
  /// Over a session whose peer has middleware, through that.
  static exchange* make(const session_lane& to, const method_info& method,
                        const google::protobuf::MessageLite& request);

  class owner {
   public:
    virtual void arrived() noexcept = 0;

   protected:
    ~owner() = default;
  };

  /// Before `start`, on the caller's worker: the task on whose behalf, or null.
  void called_by(const context* caller) {
    if (caller != nullptr && looks_at_caller_) look_at(*caller);
  }
  /// A passage through middleware begins, whose end is `start`, or `not_expected`, or both. On the polling worker.
  virtual void expected() {}
  virtual void not_expected() noexcept {}
  /// In place of `start`: the call was settled before it departed. On the caller's worker.
  virtual void stays(worker& /*home*/) noexcept {}
  /// `extras` may be null.
  virtual status start(owner& o, worker& home, time_point deadline, const call_extras* extras) noexcept = 0;
  /// Any time after `start`; it still arrives, once.
  virtual void cancel() noexcept = 0;
  /// After it arrived: how the call ended. The reply may still be no message.
  virtual status outcome() const = 0;
  /// After it arrived: the call's status, and its reply if that is ok.
  virtual status take(google::protobuf::MessageLite& reply) = 0;
  /// After it arrived with an error: the method surely did not run.
  virtual bool surely_not_run() const { return false; }
  /// After it arrived: metadata of the reply.
  virtual void take_metadata(call_extras& into) = 0;

  struct destroy {
    void operator()(exchange* e) const noexcept { e->end(); }
  };

 protected:
  exchange() = default;
  enum class caller : bool { unknown, looked_at };
  explicit exchange(caller c) noexcept : looks_at_caller_{c == caller::looked_at} {}
  ~exchange() = default;

 private:
  virtual void end() noexcept = 0;
  virtual void look_at(const context& /*caller*/) {}

  const bool looks_at_caller_ = false;
};

}  // namespace detail

/// A typed unary call to a peer.
template <class Reply>
class unary_call final : public call_of<Reply>, detail::exchange::owner {
 public:
  unary_call(peer& to, const method_info& method, const google::protobuf::MessageLite& request)
      : method_{method}, exchange_{detail::exchange::make(to, method, request)} {}
  unary_call(const session_lane& to, const method_info& method, const google::protobuf::MessageLite& request)
      : method_{method}, exchange_{detail::exchange::make(to, method, request)} {}

 private:
  const char* name() const noexcept override { return method_.path; }
  bool may_have_run() const noexcept override {
    return call_of<Reply>::may_have_run() && !(arrived_ && exchange_->surely_not_run());
  }
  status depart(worker& home, time_point deadline, const context* caller) noexcept override {
    exchange_->called_by(caller);
    return exchange_->start(*this, home, deadline, this->extras_if_any());
  }
  void stays(worker& home) noexcept override { exchange_->stays(home); }
  void cancel() noexcept override { exchange_->cancel(); }
  void arrived() noexcept override {
    arrived_ = true;
    this->came_back();
  }
  result<Reply> take_reply() override {
    if (this->extras_if_any() != nullptr) exchange_->take_metadata(this->extras_here());
    Reply reply;
    if (auto s = exchange_->take(reply); !s.ok()) return s;
    return reply;
  }

  const method_info& method_;
  std::unique_ptr<detail::exchange, detail::exchange::destroy> exchange_;
  bool arrived_ = false;
};

}  // namespace weft
