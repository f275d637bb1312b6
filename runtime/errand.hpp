#pragma once
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <weft/runtime/work.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

/// A `visit` that need not come to pass: `f` runs on a worker, outside of any strand, unless the worker stays busy for
/// longer than the sender has patience. From a thread that is no worker, to a worker with a thread.
///
/// `f` may refer to what the sender owns: it has ended when `done_by` has returned, or never runs. Must be waited for.
template <class F>
class errand {
 public:
  errand(worker& w, F f) : order_{std::make_shared<order>(std::move(f))} {
    order_->itself = order_;
    sent_ = w.submit(*order_);
    if (!sent_) order_->itself.reset();  // the worker is gone
  }

  /// Blocks until `f` has run, or until `until`, whichever is earlier; only when `f` runs at that moment, until it has
  /// ended. False: it did not run, and will not.
  bool done_by(std::chrono::steady_clock::time_point until) {
    std::unique_lock lock{order_->mutex};
    if (!sent_) return false;
    const auto done = [this] { return order_->stage == stage::done; };
    if (!order_->changed.wait_until(lock, until, done)) {
      if (order_->stage == stage::sent) {
        order_->stage = stage::called_off;
        return false;
      }
      order_->changed.wait(lock, done);
    }
    return true;
  }

 private:
  enum class stage { sent, runs, done, called_off };

  // Kept alive by the worker that has it, and by the sender.
  struct order final : work {
    explicit order(F f) : function{std::move(f)} {}
    void run() noexcept override {
      const auto mine = std::move(itself);  // goes after the locks
      {
        std::lock_guard lock{mutex};
        if (stage == errand::stage::called_off) return;
        stage = errand::stage::runs;
      }
      function();
      std::lock_guard lock{mutex};
      stage = errand::stage::done;
      changed.notify_one();
    }

    F function;
    std::shared_ptr<order> itself;
    std::mutex mutex;
    std::condition_variable changed;
    errand::stage stage = errand::stage::sent;
  };

  std::shared_ptr<order> order_;
  bool sent_ = false;
};

}  // namespace weft
