#include <grpcpp/grpcpp.h>

#include <chrono>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/open_channels.hpp>

namespace weft::detail {
namespace {

bool connects(grpc::Channel& c) { return c.GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_CONNECTING; }

// Holds the channel until it does not connect any more. Owns itself.
class departure final : operation {
 public:
  static void begin(completion_queue& queue, std::shared_ptr<grpc::Channel> of) {
    auto* const self = new departure{std::move(of)};
    void* const tag = queue.begin(*self);
    if (tag == nullptr) {
      delete self;
      return;
    }
    self->channel_->NotifyOnStateChange(GRPC_CHANNEL_CONNECTING,
                                        to_timespec(std::chrono::steady_clock::now() + open_channels::longest),
                                        &queue.queue(), tag);
  }

 private:
  explicit departure(std::shared_ptr<grpc::Channel> of) noexcept : channel_{std::move(of)} {}
  void on_event(bool) noexcept override { delete this; }

  const std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace

void open_channels::add(const std::shared_ptr<grpc::Channel>& opened) {
  std::lock_guard lock{mutex_};
  std::erase_if(open_, [](const auto& c) { return c.expired(); });
  open_.push_back(opened);
}

void open_channels::leave(std::shared_ptr<grpc::Channel> left) noexcept {
  if (!connects(*left)) return;
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
  for (const auto& one : left) departure::begin(*queue, one);
}

void open_channels::close() noexcept {
  std::unique_lock lock{mutex_};
  auto* const queue = std::exchange(queue_, nullptr);
  auto remaining = std::exchange(left_, {});
  for (const auto& one : open_) {
    if (auto held = one.lock(); held != nullptr && connects(*held)) remaining.push_back(std::move(held));
  }
  lock.unlock();
  for (const auto& one : remaining) departure::begin(*queue, one);
}

}  // namespace weft::detail
