#pragma once
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>
#include <weft/rpc/completion_queue.hpp>
#include <weft/runtime/config.hpp>

namespace grpc {
class Channel;
}

namespace weft::detail {

/// The channels that a queue drives. gRPC 1.51.1 loses the connection of a channel that ends after its handshake and before
/// the other side's first SETTINGS: when these come, `Subchannel::OnConnectingFinishedLocked` drops the transport without
/// destroying it, and its socket and three threads stay until the process ends. So a channel that goes while it connects is
/// kept until it does not, `longest` at most; what takes longer has hardly got as far as the handshake. One that could not
/// connect tries again without saying so, and is kept as well; the end of the queue waits less for it, since it seldom
/// connects just then.
///
/// Outlives the queue: peers do.
class open_channels {
 public:
  static constexpr auto longest = std::chrono::milliseconds{WEFT_ASAN || WEFT_TSAN ? 5'000 : 500};

  static constexpr auto longest_after_failure = longest / 50;

  explicit open_channels(completion_queue& queue) noexcept : queue_{&queue} {}

  /// Any thread.
  void add(const std::shared_ptr<grpc::Channel>& opened);
  /// The last of its holders lets it go. Any thread.
  void leave(std::shared_ptr<grpc::Channel> left) noexcept;
  /// Watches what has left since. On the worker that polls.
  void watch_those_that_left() noexcept;
  /// Watches all that connect; afterwards what leaves just goes. On the worker that polls.
  void close() noexcept;
  bool closed() noexcept;

 private:
  std::mutex mutex_;
  completion_queue* queue_;  // null once closed
  std::vector<std::weak_ptr<grpc::Channel>> open_;
  std::vector<std::shared_ptr<grpc::Channel>> left_;
};

}  // namespace weft::detail
