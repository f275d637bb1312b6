#pragma once
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/runtime/call.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/pipe.hpp>

namespace weft {

namespace detail {

template <class Service, class Request, class Reply, class Handler, class Sent, class Answered>
class stream_method;
template <class Request, class Reply>
class client_stream;

/// Messages that a stream holds for whoever reads it; a writer waits when it holds so many. (On the way through gRPC its
/// own buffers come in addition.)
inline constexpr std::size_t stream_limit = 16;

// A message on its way through gRPC.
struct stream_bytes {
  grpc::ByteBuffer bytes;
  bool compressed = true;  // one that leaves: if its call does that; one that came: it was
};
using byte_pipe = pipe<stream_bytes>;

// Who is told that a stream ended with a message that is none.
class malformed_end {
 public:
  virtual void reads_no_further() noexcept = 0;

 protected:
  ~malformed_end() = default;
};

// What leaves before the first reply of a stream.
class reply_head {
 public:
  virtual void goes_first() = 0;

 protected:
  ~reply_head() = default;
};

// What both ends of a stream are made of: the message itself within a process, bytes on the way through gRPC.
template <class T>
struct either_pipe {
  either_pipe() = default;
  explicit either_pipe(std::shared_ptr<pipe<T>> p) noexcept : messages{std::move(p)} {}
  explicit either_pipe(std::shared_ptr<byte_pipe> p) noexcept : bytes{std::move(p)} {}

  std::shared_ptr<pipe<T>> messages;
  std::shared_ptr<byte_pipe> bytes;
};

}  // namespace detail

/// The reading end of a stream of messages: `while (auto message = co_await in.read())`. Of one strand.
template <class T>
class reader {
 public:
  explicit reader(detail::either_pipe<T> from, detail::malformed_end* end = nullptr) noexcept
      : from_{std::move(from)}, end_{end} {}

  /// The next message. Empty at the end: the other side has written its last or the call is over; or the reading task was
  /// stopped, as a handler is whose caller has gone, or has sent what is no such message. What the call ended with is its
  /// outcome's to say. Resumes on the reader's strand; a message that has arrived does not suspend.
  task<std::optional<T>> read() {
    if (from_.messages) co_return co_await from_.messages->read();
    const auto came = co_await from_.bytes->read();
    if (!came) co_return std::nullopt;
    came_compressed_ = came->compressed;
    std::optional<T> message{std::in_place};
    if (auto s = parse(came->bytes, *message); !s.ok()) {
      malformed_ = s;
      from_.bytes->refuse(std::move(s));
      if (end_ != nullptr) end_->reads_no_further();
      co_return std::nullopt;
    }
    co_return message;
  }

  /// Whether the last message came compressed, through a network.
  bool came_compressed() const noexcept { return came_compressed_; }
  /// Why reading ended early: what came was no T. Ok otherwise.
  const status& malformed() const noexcept { return malformed_; }

 private:
  template <class Service, class Request, class Reply, class Handler, class Sent, class Answered>
  friend class detail::stream_method;
  template <class Request, class Reply>
  friend class detail::client_stream;

  // Nobody reads any more: the other side's writes fail, or go nowhere.
  void refuse(status why) noexcept {
    from_.messages ? from_.messages->refuse(std::move(why)) : from_.bytes->refuse(std::move(why));
  }
  void discard() noexcept { from_.messages ? from_.messages->discard() : from_.bytes->discard(); }

  detail::either_pipe<T> from_;
  detail::malformed_end* end_;
  status malformed_;
  bool came_compressed_ = false;
};

/// The writing end of a stream of messages. Several coroutines of one strand may write; the messages of each keep its order.
template <class T>
class writer {
 public:
  explicit writer(detail::either_pipe<T> to, detail::reply_head* head = nullptr) noexcept
      : to_{std::move(to)}, head_{head} {}

  /// `co_await out.write(message)`: waits for room, not for delivery: a slow reader suspends its writers, and at most
  /// 16 messages wait for it. Resumes on the writer's strand. Errors: CANCELLED (the task was stopped), FAILED_PRECONDITION
  /// (after `end`, or nobody reads any more), INVALID_ARGUMENT (the message cannot be serialised; the stream goes on), or
  /// what the call ended with. A message whose write failed was not sent.
  task<status> write(T message) { return write(std::move(message), true); }
  /// The same, of a message that is not worth compressing, in a call that compresses.
  task<status> write_uncompressed(T message) { return write(std::move(message), false); }

  /// That was the last message. Idempotent.
  void end() noexcept { to_.messages ? to_.messages->end() : to_.bytes->end(); }

 private:
  task<status> write(T message, bool compressed) {
    if (head_ != nullptr) head_->goes_first();
    if (to_.messages) co_return co_await to_.messages->write(std::move(message));
    detail::stream_bytes leaving;
    leaving.compressed = compressed;
    if (auto s = serialize(message, leaving.bytes); !s.ok()) co_return s;
    co_return co_await to_.bytes->write(std::move(leaving));
  }

  detail::either_pipe<T> to_;
  detail::reply_head* head_;
};

namespace detail {

/// The caller's side of a streaming call, beside the operation itself: knows when the call is settled, and ends the streams
/// then.
class stream_end : public call_listener {
 public:
  /// The call is over: what has come can still be read, writes fail.
  virtual void cut(const status& why) noexcept = 0;
  /// Set when the call's outcome stands.
  event& settled() noexcept { return settled_; }

  /// Who is told at once when the headers have come, if there are any or they were sent before the first reply.
  class observer {
   public:
    virtual void headers_came(const metadata& headers, compression replies) noexcept = 0;

   protected:
    ~observer() = default;
  };
  void tell_headers(observer& o) noexcept { observer_ = &o; }
  /// Any thread, once the call has begun.
  bool headers_observed() const noexcept { return observer_ != nullptr; }
  void headers_came(metadata headers, compression replies) noexcept {
    if (observer_ != nullptr) observer_->headers_came(headers, replies);
    headers_ = std::move(headers);
    headers_known_.set();
  }
  /// Set when `headers` are what came before the first reply, or the call is settled.
  event& headers_known() noexcept { return headers_known_; }
  const metadata& headers() const noexcept { return headers_; }

 protected:
  ~stream_end() = default;

 private:
  void completed() noexcept override {
    cut(failed_precondition("the call is over: its status says why"));
    settled_.set();
    headers_known_.set();
  }
  event settled_;
  event headers_known_;
  metadata headers_;
  observer* observer_ = nullptr;
};

// Headers on their way to the caller's worker. What they go to waits there until the call is home, which comes behind them.
struct headers_parcel final : work, pooled {
  headers_parcel(stream_end& t, metadata h, compression r) noexcept : to{t}, headers{std::move(h)}, replies{r} {}
  void run() noexcept override {
    to.headers_came(std::move(headers), replies);
    delete this;
  }
  stream_end& to;
  metadata headers;
  compression replies;
};

/// A streaming call to be made: the operation, and the caller's ends.
template <class Request, class Reply>
struct outgoing_stream {
  held_call<unit> operation;
  stream_end* end;  // part of the operation
  either_pipe<Request> requests;
  either_pipe<Reply> replies;
};

}  // namespace detail
}  // namespace weft
