#pragma once
#include <coroutine>
#include <weft/runtime/config.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/wait_list.hpp>

namespace weft {

/// Something that happens once and stays: tasks wait for it, `set` releases them all, now and later, until `reset`.
///
/// Belongs to one worker: touch it from strands of that worker only. `set` resumes nobody inline: waiters are queued on
/// their strands, in the order in which they came. Must outlive its waiters.
class event {
 public:
  void set() noexcept {
    set_ = true;
    waiters_.wake_all();
  }
  void reset() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }

  /// `co_await e.wait()`: ok once the event is set, without suspending if it is; CANCELLED when the task is stopped.
  auto wait() noexcept { return waiting{*this}; }

 private:
  friend detail::select_case<event>;

  class awaiter final : listed_wait {
   public:
    explicit awaiter(event& e) noexcept : listed_wait{"event"}, event_{e} {}
    bool await_ready() const noexcept { return event_.set_; }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return event_.waiters_.wait_in(*this, h, h.promise().ctx(), __builtin_return_address(0));
    }
    status await_resume() const { return stopped() ? cancelled("stopped while waiting for an event") : status{}; }

   private:
    event& event_;
  };

  struct waiting {
    event& e;
    awaiter operator co_await() const noexcept { return awaiter{e}; }
  };

  wait_list waiters_;
  bool set_ = false;
};

}  // namespace weft
