#pragma once
#include <coroutine>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft {

namespace detail {

template <class Source>
class select_case;

class sleep_awaiter final : wait, timer {
 public:
  sleep_awaiter(time_point until, duration how_long) noexcept : wait{"sleep"}, until_{until}, how_long_{how_long} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    return arm(h, h.promise().ctx(), __builtin_return_address(0));
  }
  status await_resume() const { return stopped_ ? cancelled("stopped while sleeping") : status{}; }

 private:
  bool arm(std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  void expired() noexcept override { finish(); }
  void on_stop() noexcept override {
    stopped_ = true;
    cancel();
    finish();
  }

  time_point until_;
  duration how_long_;
  bool stopped_ = false;
};

}  // namespace detail

/// Suspends the task for a time, or until a time. `co_await` yields a status: ok, or CANCELLED when the task is stopped,
/// at once. Resumes on the task's strand, never early, usually within 2 ms.
class [[nodiscard]] sleep {
 public:
  explicit sleep(time_point until) noexcept : until_{until} {}
  explicit sleep(duration how_long) noexcept : how_long_{how_long} {}
  detail::sleep_awaiter operator co_await() const noexcept { return {until_, how_long_}; }

 private:
  friend detail::select_case<sleep>;

  time_point until_{};
  duration how_long_ = duration::min();
};

inline sleep sleep_for(duration how_long) noexcept { return sleep{how_long}; }
inline sleep sleep_until(time_point until) noexcept { return sleep{until}; }

/// Lets everything else that is queued on this strand, and the worker's other strands, run first. Not ended by stop, since
/// it does not wait.
class [[nodiscard]] yield final : wait {
 public:
  yield() noexcept : wait{"yield"} {}
  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE void await_suspend(std::coroutine_handle<P> h) noexcept {
    give_way(h, h.promise().ctx(), __builtin_return_address(0));
  }
  void await_resume() const noexcept {}

 private:
  void give_way(std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  void on_stop() noexcept override {}
};

/// `auto& ctx = co_await current()`: the context of the task; never suspends.
class [[nodiscard]] current {
 public:
  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    ctx_ = &h.promise().ctx();
    return false;
  }
  context& await_resume() const noexcept { return *ctx_; }

 private:
  context* ctx_ = nullptr;
};

}  // namespace weft
