#pragma once
#include <coroutine>
#include <optional>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/wait_list.hpp>

namespace weft {

/// Keeps other coroutines of one worker out while its owner is suspended. Must outlive its guards and its waiters.
///
/// What holds no await needs none: strands are serial. First come, first served; unlocking hands it to the first waiter at
/// once, so nobody gets in between, and resumes nobody inline. Not recursive: whoever locks it twice waits for itself.
class mutex {
 public:
  /// Owns the mutex; unlocks it when it is destroyed.
  class [[nodiscard("a guard that is dropped at once guards nothing")]] guard {
   public:
    guard(guard&& other) noexcept : owned_{std::exchange(other.owned_, nullptr)} {}
    guard& operator=(guard&& other) noexcept {
      auto moved = std::move(other);
      std::swap(owned_, moved.owned_);
      return *this;
    }
    ~guard() { unlock(); }
    /// Idempotent.
    void unlock() noexcept {
      if (auto* m = std::exchange(owned_, nullptr)) m->hand_over();
    }

   private:
    friend mutex;
    explicit guard(mutex& m) noexcept : owned_{&m} {}
    mutex* owned_;
  };

  mutex() = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  /// `auto hold = co_await weft::ok(m.lock())`: a result<guard>; does not suspend when it is free.
  /// Cancel: CANCELLED, and the task does not own it.
  auto lock() noexcept { return locking{*this}; }
  /// Empty when somebody owns it.
  std::optional<guard> try_lock() noexcept {
    if (std::exchange(locked_, true)) return std::nullopt;
    return guard{*this};
  }
  bool locked() const noexcept { return locked_; }

 private:
  class awaiter final : listed_wait {
   public:
    explicit awaiter(mutex& m) noexcept : listed_wait{"mutex"}, mutex_{m} {}
    bool await_ready() noexcept { return !std::exchange(mutex_.locked_, true); }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return mutex_.waiters_.wait_in(*this, h, h.promise().ctx(), __builtin_return_address(0));
    }
    result<guard> await_resume() {
      if (stopped()) return cancelled("stopped while waiting for a mutex");
      return guard{mutex_};
    }

   private:
    mutex& mutex_;
  };
  struct locking {
    mutex& m;
    awaiter operator co_await() const noexcept { return awaiter{m}; }
  };

  // It stays locked on its way to the first waiter.
  void hand_over() noexcept {
    if (auto* first = waiters_.pop()) {
      wait_list::wake(*first);
    } else {
      locked_ = false;
    }
  }

  wait_list waiters_;
  bool locked_ = false;
};

}  // namespace weft
