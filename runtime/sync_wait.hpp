#pragma once
#include <atomic>
#include <chrono>
#include <thread>
#include <type_traits>
#include <utility>
#include <weft/runtime/child.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/spawn.hpp>

namespace weft {

namespace detail {

void refuse_to_block_worker() noexcept;
void pump_until(runtime& rt, const std::atomic<bool>& done) noexcept;

template <class T>
class waited final : public child<T> {
 public:
  using child<T>::child;

  bool done() const noexcept { return done_.load(std::memory_order_acquire); }
  // ThreadSanitizer runs the handler of a signal at the thread's next call that it intercepts, and does not know of the one in
  // which `wait` sleeps: there a signal that came just before would stay unseen until the end.
  void block() const noexcept {
#if WEFT_TSAN
    while (!done()) std::this_thread::sleep_for(std::chrono::milliseconds{1});
#else
    done_.wait(false, std::memory_order_acquire);
#endif
  }
  void pump(runtime& rt) const noexcept { pump_until(rt, done_); }

 private:
  // Runs on the strand that `sync_wait` gave; its last act, so that the waiting thread may destroy all of this.
  void ended() noexcept override {
    done_.store(true, std::memory_order_release);
    done_.notify_one();
  }
  std::atomic<bool> done_{false};
};

}  // namespace detail

/// Runs `t` on the runtime's own strand and blocks the calling thread until it has ended: for main() and tests.
///
/// On a worker it is a misuse and ends the process, since it would stop everything that runs there. On a runtime without
/// threads it pumps. Exceptions of the task are rethrown here. When the runtime has been stopped already: misuse.
template <class T>
T sync_wait(runtime& rt, task<T> t) {
  detail::refuse_to_block_worker();
  detail::waited<T> root{rt.control(), nullptr, "sync_wait"};
  bool started = false;
  {
    detail::admission way_in{rt.control()};
    started = way_in.open() && root.start(std::move(t));
  }
  if (!started) misuse("sync_wait on a runtime that was stopped: keep the runtime until the end");
  if (rt.workers() == 0) {
    root.pump(rt);
  } else {
    root.block();
  }
  return root.take();
}

}  // namespace weft
