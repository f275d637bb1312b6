#pragma once
#include <atomic>
#include <utility>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/work.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

/// Runs `f` on `w`, outside of any strand, and blocks until it has: for set-up and shutdown, from a thread that is no
/// worker. False, with `f` not run, when the worker is gone. A pumped worker makes its rounds here.
template <class F>
bool visit(worker& w, F f) {
  struct visitor final : work {
    explicit visitor(F& f) : function{f} {}
    void run() noexcept override {
      function();
      // The waiting thread may destroy this between the two: notify_one uses the address only.
      done.store(true, std::memory_order_release);
      done.notify_one();
    }
    F& function;
    std::atomic<bool> done{false};
  };
  if (worker::current() != nullptr) {
    misuse("a worker was visited from a worker, which that would block: post to a strand, or use dump_here");
  }
  visitor v{f};
  if (!w.submit(v)) return false;
  while (!v.done.load(std::memory_order_acquire)) {
    if (w.threaded()) {
      v.done.wait(false, std::memory_order_acquire);
    } else {
      w.round(time_point::min());
    }
  }
  return true;
}

}  // namespace weft
