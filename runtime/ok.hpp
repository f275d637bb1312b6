#pragma once
#include <concepts>
#include <coroutine>
#include <utility>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

/// A task that can end with an error.
template <class P>
concept can_fail = task_promise_type<P> && requires { typename P::value_type; } && is_result<typename P::value_type>;

namespace detail {

/// Ends the coroutine that `ended` belongs to with `error`, as `co_return error` would: its frame and with it every guard
/// is destroyed first, then what awaits it goes on. Returns what to run next.
inline std::coroutine_handle<> end_with(std::coroutine_handle<> frame, receiver* to, status error) noexcept {
  to->frame_gone();
  frame.destroy();
  to->set_error(std::move(error));
  return to->resume_next();
}

// The value is at hand: suspends only to end the enclosing task.
template <class T>
class ok_value {
 public:
  explicit ok_value(T outcome) : outcome_{std::move(outcome)} {}

  bool await_ready() const noexcept { return status_of(outcome_).ok(); }
  template <can_fail P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> enclosing) noexcept {
    return end_with(enclosing, enclosing.promise().to, status_of(outcome_));
  }
  auto await_resume() {
    if constexpr (!std::is_same_v<T, status>) return std::move(*outcome_);
  }

 private:
  T outcome_;
};

// The value comes from a task: decides when that task has ended, before the enclosing one would be resumed.
template <class T>
class ok_task final : public task<T>::awaiter {
 public:
  explicit ok_task(task<T> child) noexcept : task<T>::awaiter{child.release()} {}

  template <can_fail P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> enclosing) noexcept {
    enclosing_ = enclosing;
    enclosing_to_ = enclosing.promise().to;
    const auto child = task<T>::awaiter::await_suspend(enclosing);
    this->next = {};  // it decides in `completed`
    return child;
  }
  auto await_resume() {
    if constexpr (std::is_same_v<T, status>) {
      static_cast<void>(this->take());
    } else {
      return *this->take();
    }
  }

  std::coroutine_handle<> completed() noexcept override {
    if (this->outcome.has_value()) {
      if (auto& error = status_of(this->outcome.value()); !error.ok()) {
        return end_with(enclosing_, enclosing_to_, error);  // destroys *this
      }
    }
    return enclosing_;
  }

 private:
  std::coroutine_handle<> enclosing_;
  receiver* enclosing_to_ = nullptr;
};

}  // namespace detail

/// `co_await ok(expression)`: the value, or the end of the enclosing task with the expression's error.
///
/// `expression` is a result<T>, a status, or anything awaitable that yields one (a call, a task). The enclosing task has to
/// return a result or a status itself. Its locals are destroyed, guards released, before whoever awaits it resumes; no
/// exception is thrown. Exceptions pass through unchanged.
template <class T>
  requires is_result<T>
[[nodiscard]] auto ok(T outcome) {
  return detail::ok_value<T>{std::move(outcome)};
}
template <class T>
  requires is_result<T>
[[nodiscard]] auto ok(task<T> child) {
  return detail::ok_task<T>{std::move(child)};
}
template <awaitable A>
  requires(!is_result<A>) && is_result<await_result_t<A>>
[[nodiscard]] auto ok(A awaitable) {
  return detail::ok_task<await_result_t<A>>{as_task(std::move(awaitable))};
}

}  // namespace weft
