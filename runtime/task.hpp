#pragma once
#include <cassert>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <type_traits>
#include <utility>
#include <weft/runtime/context.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/outcome.hpp>
#include <weft/runtime/result.hpp>

namespace weft {

template <class T>
class task;

/// What a service's handler returns: a task that ends with a value or a status.
template <class T>
using reply = task<result<T>>;

class promise_base;

/// Where a task's outcome goes: into the frame of the task that awaits it, or into a root.
class receiver {
 public:
  /// The task has ended and its outcome is stored. Returns what to run next. May destroy the task.
  std::coroutine_handle<> resume_next() noexcept { return next ? next : completed(); }
  /// What happens instead of resuming `next`, where that is null.
  virtual std::coroutine_handle<> completed() noexcept = 0;
  /// The task's frame was destroyed by `ok`, which ended it early; the outcome follows by `set_error`.
  virtual void frame_gone() noexcept = 0;
  virtual void set_error(status error) noexcept = 0;

  context* ctx = nullptr;
  std::coroutine_handle<> next;  // a task that just goes on when this one has ended

 protected:
  ~receiver() = default;
};

template <class T>
class receiver_of : public receiver {
 public:
  void set_error(status error) noexcept final {
    if constexpr (is_result<T>) {
      outcome.set(std::move(error));
    } else {
      static_cast<void>(error);
      std::terminate();  // `ok` compiles only in tasks that can carry an error
    }
  }

  /// The value, or rethrows. Requires: completed.
  T take() { return outcome.take(); }

  weft::outcome<T> outcome;

 protected:
  ~receiver_of() = default;
};

class promise_base {
 public:
  static void* operator new(std::size_t bytes) { return frame_pool::allocate(bytes); }
  static void operator delete(void* frame) noexcept { frame_pool::deallocate(frame); }

  std::suspend_always initial_suspend() const noexcept { return {}; }

  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> ended) const noexcept {
      return ended.promise().to->resume_next();
    }
    void await_resume() const noexcept {}
  };
  final_awaiter final_suspend() const noexcept { return {}; }

  context& ctx() const noexcept { return *to->ctx; }

  receiver* to = nullptr;
};

template <class T>
class task_promise final : public promise_base {
 public:
  using value_type = T;
  task<T> get_return_object() noexcept;
  template <class U = T>
    requires std::constructible_from<T, U>
  void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
    out().outcome.set(std::forward<U>(value));
  }
  void unhandled_exception() noexcept { out().outcome.set_exception(std::current_exception()); }

 private:
  receiver_of<T>& out() noexcept { return static_cast<receiver_of<T>&>(*to); }
};

template <>
class task_promise<void> final : public promise_base {
 public:
  using value_type = void;
  task<void> get_return_object() noexcept;
  void return_void() noexcept { out().outcome.set(); }
  void unhandled_exception() noexcept { out().outcome.set_exception(std::current_exception()); }

 private:
  receiver_of<void>& out() noexcept { return static_cast<receiver_of<void>&>(*to); }
};

/// A coroutine of weft's: awaiters get at the context through it.
template <class P>
concept task_promise_type = std::derived_from<P, promise_base>;

/// Said by the destructor of a task that never ran.
[[noreturn]] void dropped_task_misuse() noexcept;

/// A coroutine that starts when it is awaited and belongs to whoever awaits it.
///
/// Lazy, move-only, awaited once: `co_await f()`, in the expression that makes it, or given to a scope. Runs on the strand
/// of the task that awaits it, and always resumes there. A ready await does not suspend; the stack stays flat however
/// many follow each other (symmetric transfer). An exception comes out of the `co_await`.
/// A task dropped without having run is a misuse, caught in debug builds. Parameters: values, and references only to what
/// outlives the task. Cancel: see `context::stop`; waits inside end early and say so.
template <class T = void>
class [[nodiscard]] task {
 public:
  using value_type = T;
  using promise_type = task_promise<T>;

  task() noexcept = default;
  explicit task(std::coroutine_handle<promise_type> coroutine) noexcept : coroutine_{coroutine} {}
  task(task&& other) noexcept : coroutine_{std::exchange(other.coroutine_, {})} {}
  task& operator=(task&& other) noexcept {
    auto moved = std::move(other);
    std::swap(coroutine_, moved.coroutine_);
    return *this;
  }
  ~task() {
    if (!coroutine_) return;
#if WEFT_DEBUG
    if (std::uncaught_exceptions() == 0) dropped_task_misuse();
#endif
    coroutine_.destroy();
  }

  bool valid() const noexcept { return static_cast<bool>(coroutine_); }
  /// Destroys the coroutine unstarted, on purpose.
  void discard() noexcept {
    if (auto c = release()) c.destroy();
  }
  /// For receivers: the coroutine is the caller's now.
  std::coroutine_handle<promise_type> release() noexcept { return std::exchange(coroutine_, {}); }

  class awaiter;
  awaiter operator co_await() && noexcept { return awaiter{release()}; }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

template <class T>
class task<T>::awaiter : public receiver_of<T> {
 public:
  explicit awaiter(std::coroutine_handle<promise_type> child) noexcept : child_{child} {}
  awaiter(const awaiter&) = delete;
  awaiter& operator=(const awaiter&) = delete;
  ~awaiter() {
    if (child_) child_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
    assert(child_ && "a task was awaited twice, or after it was moved from");
    this->ctx = parent.promise().to->ctx;
    this->next = parent;
    child_.promise().to = this;
    return child_;
  }
  T await_resume() { return this->take(); }

  std::coroutine_handle<> completed() noexcept override { return std::noop_coroutine(); }
  void frame_gone() noexcept override { child_ = {}; }

 private:
  std::coroutine_handle<promise_type> child_;
};

template <class T>
task<T> task_promise<T>::get_return_object() noexcept {
  return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}
inline task<void> task_promise<void>::get_return_object() noexcept {
  return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

namespace detail {

template <class A>
struct await_result;
template <class A>
  requires requires(A a) { std::move(a).operator co_await().await_resume(); }
struct await_result<A> {
  using type = decltype(std::declval<A>().operator co_await().await_resume());
};
template <class A>
  requires requires(A a) { a.await_resume(); }
struct await_result<A> {
  using type = decltype(std::declval<A&>().await_resume());
};

}  // namespace detail

/// What `co_await` of an `A` yields inside a task.
template <class A>
using await_result_t = typename detail::await_result<std::remove_cvref_t<A>>::type;

/// Anything that can be awaited in a task.
template <class A>
concept awaitable = requires { typename await_result_t<A>; };

/// Makes a task of any awaitable, so that it can be started in a scope, raced, or timed.
template <awaitable A>
task<await_result_t<A>> as_task(A awaitable) {
  co_return co_await std::move(awaitable);
}
template <class T>
task<T> as_task(task<T> t) noexcept {
  return t;
}

/// Drops, on purpose, what was made to be awaited and will not be.
template <awaitable A>
void discard(A& awaitable) noexcept {
  if constexpr (requires { awaitable.discard(); }) awaitable.discard();
}

}  // namespace weft
