#include <condition_variable>
#include <mutex>
#include <weft/runtime/worker.hpp>

namespace weft {
namespace {

// A condition variable is a futex with the bookkeeping done; it is only touched when the worker really sleeps.
class futex_source final : public event_source {
 public:
  std::size_t poll(time_point until) noexcept override {
    if (until == time_point::min()) return 0;
    std::unique_lock lock{mutex_};
    const auto woken = [this] { return woken_; };
    if (until == never) {
      condition_.wait(lock, woken);
    } else {
      condition_.wait_until(lock, until, woken);
    }
    woken_ = false;
    return 0;
  }

  void wake() noexcept override {
    {
      std::lock_guard lock{mutex_};
      woken_ = true;
    }
    condition_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool woken_ = false;
};

}  // namespace

std::unique_ptr<event_source> make_futex_source() { return std::make_unique<futex_source>(); }

}  // namespace weft
