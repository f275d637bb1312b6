#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <weft/runtime/worker.hpp>

namespace grpc {
class CompletionQueue;
class ServerBuilder;
class ServerCompletionQueue;
}  // namespace grpc

namespace weft {
namespace detail {
class open_channels;
}

/// Something started on gRPC's completion queue: its address is the tag. It lives until `on_event`.
class operation {
 public:
  /// Once for every start, on the worker that polls; nothing of the user's runs beneath it.
  virtual void on_event(bool ok) noexcept = 0;

  operation(const operation&) = delete;
  operation& operator=(const operation&) = delete;

 protected:
  operation() = default;
  ~operation() = default;
};

/// A call of this process that is out at gRPC, which the queue can cancel when it ends: a one-way call has nobody else.
class outgoing_call {
 protected:
  outgoing_call() = default;
  ~outgoing_call() = default;

 private:
  friend class completion_queue;
  virtual void cancel_for_shutdown() noexcept = 0;

  outgoing_call* next_ = nullptr;
  outgoing_call* previous_ = nullptr;
  bool told_ = false;  // that the queue ends
};

struct completion_counters {
  std::uint64_t started = 0;  ///< Tags handed to gRPC.
  std::uint64_t ended = 0;    ///< Tags that came back. Equal to `started` after shutdown.
  std::uint64_t calls = 0;    ///< Calls of this process that are out now.
};

/// gRPC's completion queue as what a worker waits in. It carries the client's calls and the server's alike, and one thread
/// polls it: a second one would cost a third of the throughput under gRPC's default poller.
///
/// Every start goes through `begin`, which is refused once the queue is shut (gRPC aborts on an operation on a queue that
/// was shut down, grpc#38112). Starts happen on the polling worker only, so the gate and the count need no atomics.
class completion_queue final : public event_source {
 public:
  completion_queue();
  ~completion_queue() override;

  /// Worker only: counts a tag that is about to be handed to gRPC and returns it; null when the queue is shut.
  [[nodiscard]] void* begin(operation& op) noexcept;
  /// Worker only: the call is cancelled if it is still out when the queue ends.
  void went_out(outgoing_call& call) noexcept;
  /// Worker only: its last tag has come.
  void came_back(outgoing_call& call) noexcept;
  /// Worker only: a tag that `begin` counted will not come (gRPC says so for the done tag of a call that never began).
  void forget() noexcept { ++counters_.ended; }
  /// Worker only: an operation was begun that may have completed at once (as writes to a stream do). Such a one leaves a
  /// kick behind, at which gRPC's next look at its sockets ends without one: a writer that never waits would keep it from
  /// reading at all. So the next "no event" is asked for twice. (Always asking twice costs unary calls up to a fifth, by
  /// reading their replies in smaller batches.)
  void may_have_kicked() noexcept { kicked_ = true; }
  bool shut() const noexcept { return shut_; }
  /// It only takes back what is out: events run, strands do not.
  bool ending() const noexcept { return ending_; }

  grpc::ServerCompletionQueue& queue() noexcept { return *queue_; }
  /// The builder to which the queue belongs: the one server of this queue is built by it. Null the second time: gRPC builds
  /// one server from a builder, and fails or aborts on the next.
  grpc::ServerBuilder* take_builder() noexcept { return std::exchange(server_built_, true) ? nullptr : builder_.get(); }
  const completion_counters& counters() const noexcept { return counters_; }
  const std::shared_ptr<detail::open_channels>& channels() const noexcept { return channels_; }

  std::size_t poll(time_point until) noexcept override;
  /// About 16 us for the caller. One alarm a queue; `Alarm` is not thread-safe and aborts when set twice.
  void wake() noexcept override;
  /// Starts a thread that waits for gRPC in the place of the pump, whenever it watches: never do both poll.
  void prepare_watch(const thread_hook& hook, std::function<void()> ready) override;
  void watch() noexcept override;
  /// Cancels the calls that are still out, and those that begin because of what comes meanwhile, waits for every tag and for
  /// channels that connect (see `open_channels`), then shuts the queue and drains it.
  void shutdown() noexcept override;

 private:
  class waker;
  class waiter;

  bool next_event(time_point until, void*& tag, bool& ok) noexcept;
  void cancel_new_calls() noexcept;

  std::unique_ptr<grpc::ServerBuilder> builder_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<waker> waker_;
  const std::shared_ptr<detail::open_channels> channels_;
  std::unique_ptr<waiter> waiter_;
  completion_counters counters_;
  outgoing_call* outgoing_ = nullptr;
  outgoing_call* next_told_ = nullptr;  // what is told that the queue ends may take others along
  bool server_built_ = false;
  bool ending_ = false;
  bool shut_ = false;
  bool kicked_ = false;
};

}  // namespace weft
