#include <grpcpp/grpcpp.h>

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

// Holds the channel until it does not connect any more, or for so long. Owns itself.
class departure final : operation {
 public:
  static void begin(completion_queue& queue, std::shared_ptr<grpc::Channel> of, duration longest) {
    (new departure{queue, std::move(of), longest})->watch();
  }

 private:
  departure(completion_queue& queue, std::shared_ptr<grpc::Channel> of, duration longest) noexcept
      : queue_{queue}, channel_{std::move(of)}, until_{std::chrono::steady_clock::now() + longest} {}

  void watch() noexcept {
    const auto known = channel_->GetState(/*try_to_connect=*/false);
    const bool goes_on = may_connect(known) && std::chrono::steady_clock::now() < until_;
    void* const tag = goes_on ? queue_.begin(*this) : nullptr;
    if (tag == nullptr) {
      delete this;
      return;
    }
    channel_->NotifyOnStateChange(known, to_timespec(until_), &queue_.queue(), tag);
  }
  void on_event(bool) noexcept override { watch(); }

  completion_queue& queue_;
  const std::shared_ptr<grpc::Channel> channel_;
  const time_point until_;
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
  for (const auto& one : left) departure::begin(*queue, one, longest);
}

void open_channels::close() noexcept {
  std::unique_lock lock{mutex_};
  auto* const queue = std::exchange(queue_, nullptr);
  auto remaining = std::exchange(left_, {});
  for (const auto& one : open_) {
    if (auto held = one.lock(); held != nullptr && may_connect(*held)) remaining.push_back(std::move(held));
  }
  lock.unlock();
  for (const auto& one : remaining) {
    const bool failed = one->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_TRANSIENT_FAILURE;
    departure::begin(*queue, one, failed ? longest_after_failure : longest);
  }
}

}  // namespace weft::detail
