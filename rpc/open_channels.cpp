#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/open_channels.hpp>

namespace weft::detail {
namespace {

// One that could not connect stays in "transient failure" while it tries again, until it is ready.
bool may_connect(grpc_connectivity_state s) {
  return s == GRPC_CHANNEL_CONNECTING || s == GRPC_CHANNEL_TRANSIENT_FAILURE;
}
bool may_connect(grpc::Channel& c) { return may_connect(c.GetState(/*try_to_connect=*/false)); }

// Holds the channel until it does not connect any more, or for `longest`. One that has failed is held for less once the queue
// ends, and so looks again and again whether it does. Owns itself.
class departure final : operation {
 public:
  static void begin(open_channels& all, completion_queue& queue, std::shared_ptr<grpc::Channel> of) {
    (new departure{all, queue, std::move(of)})->watch();
  }

 private:
  departure(open_channels& all, completion_queue& queue, std::shared_ptr<grpc::Channel> of) noexcept
      : all_{all},
        queue_{queue},
        channel_{std::move(of)},
        until_{std::chrono::steady_clock::now() + open_channels::longest} {}

  void watch() noexcept {
    const auto known = channel_->GetState(/*try_to_connect=*/false);
    const auto now = std::chrono::steady_clock::now();
    const auto soon = now + open_channels::longest_after_failure;
    const bool failed = known == GRPC_CHANNEL_TRANSIENT_FAILURE;
    if (failed && all_.closed()) until_ = std::min(until_, soon);
    void* const tag = may_connect(known) && now < until_ ? queue_.begin(*this) : nullptr;
    if (tag == nullptr) {
      delete this;
      return;
    }
    channel_->NotifyOnStateChange(known, to_timespec(failed ? std::min(until_, soon) : until_), &queue_.queue(), tag);
  }
  void on_event(bool) noexcept override { watch(); }

  open_channels& all_;  // outlives the queue
  completion_queue& queue_;
  const std::shared_ptr<grpc::Channel> channel_;
  time_point until_;
};

}  // namespace

void open_channels::add(const std::shared_ptr<grpc::Channel>& opened) {
  std::lock_guard lock{mutex_};
  std::erase_if(open_, [](const auto& c) { return c.expired(); });
  open_.push_back(opened);
}

void open_channels::leave(std::shared_ptr<grpc::Channel> left) noexcept {
  if (!may_connect(*left)) return;
  std::lock_guard lock{mutex_};
  if (queue_ == nullptr) return;
  left_.push_back(std::move(left));
  queue_->wake();
}

void open_channels::watch_those_that_left() noexcept {
  std::unique_lock lock{mutex_};
  const auto left = std::exchange(left_, {});
  auto* const queue = queue_;  // not null if anything has left
  lock.unlock();
  for (const auto& one : left) departure::begin(*this, *queue, one);
}

void open_channels::close() noexcept {
  std::unique_lock lock{mutex_};
  auto* const queue = std::exchange(queue_, nullptr);
  auto remaining = std::exchange(left_, {});
  for (const auto& one : open_) {
    if (auto held = one.lock(); held != nullptr && may_connect(*held)) remaining.push_back(std::move(held));
  }
  lock.unlock();
  for (const auto& one : remaining) departure::begin(*this, *queue, one);
}

bool open_channels::closed() noexcept {
  std::lock_guard lock{mutex_};
  return queue_ == nullptr;
}

}  // namespace weft::detail
