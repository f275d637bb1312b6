#pragma once
#include <memory>
#include <mutex>
#include <utility>
#include <weft/runtime/worker.hpp>

namespace weft {

/// The way from other threads to the worker of somebody who may leave: a link, a listener, a task that waits.
///
/// Once `shut` has returned nothing is posted to the worker through it any more, so everything there may then be
/// destroyed. What was posted before still runs on the worker, outside of any strand, and finds that nobody is left.
/// The lock covers one `submit`; it is never held while code of anybody else runs.
class way_home {
 public:
  explicit way_home(worker& home) noexcept : home_{home} {}

  worker& home() const noexcept { return home_; }

  /// Any thread. False when it is shut or the worker is gone: `w` stays the caller's.
  bool submit(work& w) noexcept {
    std::lock_guard lock{mutex_};
    return open_ && home_.submit(w);
  }

  void shut() noexcept {
    std::lock_guard lock{mutex_};
    open_ = false;
  }

 private:
  worker& home_;
  std::mutex mutex_;
  bool open_ = true;
};

/// A message from one thread to another, embedded in the object that both share: it calls `handler` over there, and keeps
/// the object alive on its way. It is on its way at most once; sender and handler agree on when it may be sent again.
template <class Shared, void (Shared::*handler)() noexcept>
class note final : public work {
 public:
  /// By way of anything with `bool submit(work&)`. False: the other side is gone, nothing was sent.
  template <class Way>
  bool send(std::shared_ptr<Shared> shared, Way& way) noexcept {
    shared_ = std::move(shared);
    if (way.submit(*this)) return true;  // from here on the note is the other side's
    shared_.reset();                     // the caller has a reference of its own
    return false;
  }

  void run() noexcept override {
    const auto shared = std::move(shared_);
    (shared.get()->*handler)();
  }

 private:
  std::shared_ptr<Shared> shared_;
};

}  // namespace weft
