#pragma once
#include <coroutine>
#include <utility>
#include <weft/runtime/child.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/timer_wheel.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

namespace detail {

// One task with a context of its own and a timer that stops it.
template <class T>
class timed final : wait, timer, child<T> {
 public:
  timed(const char* what, context& parent, task<T> t, duration limit, bool shielded) noexcept
      : wait{what}, child<T>{parent.home(), &parent, what}, task_{std::move(t)}, limit_{limit} {
    if (shielded) this->own_context().shield();
  }

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE void await_suspend(std::coroutine_handle<P> h) noexcept {
    auto& ctx = h.promise().ctx();
    auto& home = ctx.home().home();
    const auto until = saturating_add(home.read_clock(), limit_);
    wait::suspend(h, ctx, __builtin_return_address(0));
    this->own_context().limit_deadline(until);
    if (until != never) home.timers().arm(*this, until);
    child<T>::start(std::move(task_));
  }
  /// True when the time was up before the task had ended.
  bool await_resume() const noexcept { return timed_out_; }
  T take() { return child<T>::take(); }

 private:
  void expired() noexcept override {
    timed_out_ = true;
    this->own_context().stop();
  }
  void on_stop() noexcept override {}  // reaches the task through the tree, unless it is shielded
  void ended() noexcept override {
    timer::cancel();
    wait::finish();
  }

  task<T> task_;
  duration limit_;
  bool timed_out_ = false;
};

}  // namespace detail

/// Runs the awaitable, at most for `limit`: then it is stopped, awaited, and DEADLINE_EXCEEDED is what comes back, unless it
/// ended with a value in spite of it (no value is lost). Calls inside inherit the deadline.
template <awaitable A>
  requires is_result<await_result_t<A>>
task<await_result_t<A>> with_timeout(duration limit, A awaitable) {
  auto& ctx = co_await current();
  detail::timed<await_result_t<A>> attempt{"with_timeout", ctx, as_task(std::move(awaitable)), limit, false};
  const bool timed_out = co_await attempt;
  auto outcome = attempt.take();
  if (timed_out && !status_of(outcome).ok()) co_return deadline_exceeded("with_timeout: the time was up");
  co_return outcome;
}

/// Runs the awaitable to its end although the task was, or is being, stopped: for what has to be done on the way out.
/// After `limit` it is stopped all the same and awaited. Yields what the awaitable yields.
template <awaitable A>
task<await_result_t<A>> shield(A awaitable, duration limit) {
  auto& ctx = co_await current();
  detail::timed<await_result_t<A>> attempt{"shield", ctx, as_task(std::move(awaitable)), limit, true};
  co_await attempt;
  co_return attempt.take();
}

}  // namespace weft
