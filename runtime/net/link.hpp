#pragma once
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weft/runtime/config.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/net/transport.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/wait_list.hpp>

namespace weft {

class strand;
class worker;

/// What becomes of a link whose peer does not take what is sent to it, once the outbound queue is full.
enum class slow_policy : std::uint8_t {
  disconnect,   ///< The link is cut off: `send` and `end` say RESOURCE_EXHAUSTED.
  drop_oldest,  ///< The oldest queued messages make room, and are counted.
  refuse,       ///< `send` returns RESOURCE_EXHAUSTED; the message is not sent.
};

struct link_options {
  std::size_t max_frame = std::size_t{1} << 20;       ///< Bytes of a message, either way.
  std::size_t outbound_messages = 1'024;              ///< That may be queued by `send`.
  std::size_t outbound_bytes = std::size_t{4} << 20;  ///< The same in bytes; one message always has room.
  std::size_t inbound_messages = 64;                  ///< Not yet received; then the socket is not read. 1 to 2^20 - 1.
  std::size_t inbound_bytes = std::size_t{4} << 20;   ///< The same in bytes, exceeded by at most one message.
  slow_policy slow = slow_policy::disconnect;
};

struct link_counters {
  std::uint64_t messages_in = 0;
  std::uint64_t bytes_in = 0;      ///< Of messages, without framing; as all of these.
  std::uint64_t messages_out = 0;  ///< Given to the transport.
  std::uint64_t bytes_out = 0;
  std::uint64_t dropped = 0;  ///< By `drop_oldest`, or queued when the link broke.
  std::uint64_t refused = 0;
};

/// A player's connection: complete messages in, complete messages out, over whatever transport.
///
/// Belongs to the worker of the strand it was made with: use and destroy it on strands of that worker, as `queue` and
/// `event`. Every buffer is bounded. A peer that sends faster than the link is received from is not read (TCP then slows it
/// down) until half of the inbound bound was received; a peer that takes too slowly meets the `slow_policy`.
///
/// Destroying it closes it, as `close` does: what is queued is still flushed in the background. It may be destroyed in mid-
/// traffic, but not while a task waits in it. Nothing is posted to the worker for this link once its destructor has
/// returned, and never anything to its strand but the tasks that wait in it: so the strand may go right after the link.
class link final : transport::user {
 public:
  /// At most so many messages and bytes are with the transport at a time; only what is queued behind them can be dropped.
  static constexpr std::size_t batch_messages = 64;
  static constexpr std::size_t batch_bytes = std::size_t{64} << 10;

  /// Any thread. Reading begins at once.
  link(strand& home, std::shared_ptr<transport> carrier, link_options options = {});
  ~link();
  link(const link&) = delete;
  link& operator=(const link&) = delete;

  /// `while (auto message = co_await link.receive())`: the next message, in the order in which the peer sent them. Empty
  /// when the task was stopped (at once, even when messages are there), the link was closed here, or the peer is gone and
  /// everything it had sent was received: `end` says which. A receiver that is stopped takes no message with it.
  auto receive() noexcept { return receiving{*this}; }

  /// Why `receive` yielded nothing: ok (the peer closed in an orderly way, or this side did), UNAVAILABLE (the connection
  /// broke, also in the middle of a frame), INVALID_ARGUMENT (a frame above `max_frame`), RESOURCE_EXHAUSTED (this peer was
  /// too slow and cut off), CANCELLED (the receiving task was stopped; the link is as it was).
  const status& end() const noexcept { return end_; }

  /// Queues a message; never suspends. What is sent before the worker's next round goes out in one batch. Ok does not mean
  /// that the peer has it. Errors: RESOURCE_EXHAUSTED (full: see `slow_policy`), UNAVAILABLE (closed, or broken),
  /// INVALID_ARGUMENT (above `max_frame`).
  status send(std::string message) { return enqueue(payload{std::move(message)}); }
  /// The same for one of many receivers: encode once, send to all. The bytes are shared, not copied. Requires: not null.
  status send(std::shared_ptr<const std::string> message) { return enqueue(payload{std::move(message)}); }

  /// Receives nothing more, flushes what is queued and waits for the peer to close too, for at most a second in all, in the
  /// background. Idempotent.
  void close() noexcept;
  /// `co_await link.closed()`: ok once the connection is closed to its last resource (its socket), by whichever side;
  /// CANCELLED when the task is stopped.
  auto closed() noexcept { return closed_.wait(); }

  /// False once `send` can only fail.
  bool open() const noexcept { return unsendable_.ok(); }
  /// Messages that wait to be handed to the transport.
  std::size_t queued() const noexcept { return outbound_.size(); }
  const link_counters& counters() const noexcept { return counters_; }
  const link_options& options() const noexcept { return options_; }
  /// The far side, such as "192.0.2.7:50123".
  std::string peer() const { return transport_->peer(); }

 private:
  class receiver final : public listed_wait {
   public:
    explicit receiver(link& l) noexcept : listed_wait{"link receive"}, link_{l} {}
    bool await_ready() const noexcept { return false; }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return link_.wait_for_message(*this, h, h.promise().ctx(), __builtin_return_address(0));
    }
    std::optional<std::string> await_resume() {
      if (stopped()) link_.receiver_stopped();
      return std::move(message_);
    }

   private:
    friend link;
    link& link_;
    std::optional<std::string> message_;
  };
  struct receiving {
    link& l;
    receiver operator co_await() const noexcept { return receiver{l}; }
  };

  bool wait_for_message(receiver& r, std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  void receiver_stopped();
  status enqueue(payload message);
  status make_room(std::size_t bytes);
  bool fits(std::size_t bytes) const noexcept;
  void flush() noexcept;
  std::vector<payload> next_batch();
  void no_more_messages(status why) noexcept;
  void no_more_sending(status why) noexcept;
  void assert_here() const noexcept;

  void on_message(std::string message) noexcept override;
  void on_writable() noexcept override;
  void on_end(status why) noexcept override;
  void on_broken(status why) noexcept override;
  void on_closed() noexcept override;

  worker& home_;
  const std::shared_ptr<transport> transport_;
  const link_options options_;
  std::deque<std::string> inbound_;
  std::deque<payload> outbound_;
  std::size_t outbound_bytes_ = 0;
  wait_list receivers_;
  event closed_;
  status end_;
  status unsendable_;  // why `send` fails
  link_counters counters_;
  bool inbound_over_ = false;        // nothing arrives any more
  bool finished_ = false;            // the transport was told to finish or to abort
  bool expecting_writable_ = false;  // the transport will call `on_writable`
};

}  // namespace weft
