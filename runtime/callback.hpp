#pragma once
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <weft/runtime/call.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

class worker;

namespace detail {

/// What a callback is for, for the log: "waterfall", its second step.
struct callback_name {
  const char* what;
  std::size_t step;
};

// What a callback and the task that waits for it share. Lives as long as one of them; on one worker.
class callback_state : public pooled {
 public:
  callback_state(const callback_state&) = delete;
  callback_state& operator=(const callback_state&) = delete;

  void add_callback() noexcept { ++callbacks_; }
  void drop_callback() noexcept;
  /// The task waits no longer, or has its outcome.
  void let_go() noexcept;

  bool settled() const noexcept { return settled_; }
  /// True for the first call; others are logged.
  bool begin_call();
  void end_call() noexcept;

 protected:
  callback_state(worker& home, callback_name name) noexcept : home_{home}, name_{name} {}
  virtual ~callback_state() = default;

 private:
  friend class callback_wait;
  virtual void set_error(status error) = 0;

  worker& home_;
  callback_name name_;
  class callback_wait* waiter_ = nullptr;
  std::size_t callbacks_ = 0;
  bool awaited_ = true;
  bool called_ = false;
  bool settled_ = false;
};

template <class T>
class callback_state_of final : public callback_state {
 public:
  callback_state_of(worker& home, callback_name name) noexcept : callback_state{home, name} {}
  void call(result<T> outcome) {
    if (!begin_call()) return;
    outcome_ = std::move(outcome);
    end_call();
  }
  result<T> take() { return std::move(*outcome_); }

 private:
  void set_error(status error) override { outcome_ = std::move(error); }
  std::optional<result<T>> outcome_;
};

class callback_wait final : wait {
 public:
  explicit callback_wait(callback_state& s) noexcept : wait{"callback"}, state_{s} {}
  bool await_ready() const noexcept { return state_.settled(); }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    return begin(h, h.promise().ctx(), __builtin_return_address(0));
  }
  /// False when the task was stopped before.
  bool await_resume() const noexcept { return state_.settled(); }

 private:
  friend callback_state;
  bool begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  void on_stop() noexcept override;
  callback_state& state_;
};

}  // namespace detail

/// The end of something that was begun by a function in callback style: to be invoked once, at once or later, from
/// anywhere on the worker of the task that waits for it: `done(value)`, `done(status)`, or error first, `done(status, value)`.
/// `callback<>` is for what ends without a value: `done()` or `done(status)`.
///
/// Copies are the same callback. Invoked again it is logged, and the first outcome stands; when the last copy goes without
/// an invocation the task gets INTERNAL. Invoking it resumes nobody inline. It may outlive the task.
template <class T = unit>
class callback {
 public:
  explicit callback(detail::callback_state_of<T>& s) noexcept : state_{&s} { s.add_callback(); }
  callback(const callback& other) noexcept : state_{other.state_} {
    if (state_ != nullptr) state_->add_callback();
  }
  callback(callback&& other) noexcept : state_{std::exchange(other.state_, nullptr)} {}
  callback& operator=(callback other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~callback() {
    if (state_ != nullptr) state_->drop_callback();
  }

  void operator()(result<T> outcome) const { state_->call(std::move(outcome)); }
  void operator()(T value) const { state_->call(std::move(value)); }
  void operator()(status error) const {
    if constexpr (std::is_same_v<T, unit>) {
      if (error.ok()) return state_->call(unit{});
    }
    state_->call(std::move(error));
  }
  void operator()(status error, T value) const {
    if (!error.ok()) return state_->call(std::move(error));
    state_->call(std::move(value));
  }
  void operator()() const
    requires std::same_as<T, unit>
  {
    state_->call(unit{});
  }

 private:
  detail::callback_state_of<T>* state_;
};

namespace detail {

template <class T>
struct let_go_of {
  void operator()(callback_state_of<T>* s) const noexcept { s->let_go(); }
};

template <class T, class F, class... Args>
task<result<T>> call_with_callback(callback_name name, F f, Args... args) {
  auto& ctx = co_await current();
  std::unique_ptr<callback_state_of<T>, let_go_of<T>> state{new callback_state_of<T>{ctx.home().home(), name}};
  std::invoke(std::move(f), std::move(args)..., callback<T>{*state});
  const bool called = co_await callback_wait{*state};
  if (!called) co_return cancelled("stopped while waiting for a callback");
  co_return state->take();
}

}  // namespace detail

/// `auto reply = co_await with_callback<std::string>(f, args...)`: calls `f(args..., callback<std::string>)` and yields what
/// the callback is given, a result. Errors: what the callback is given, INTERNAL (it was dropped without having been
/// invoked). Cancel: CANCELLED at once; what the callback is given later is dropped. An exception of `f` comes out.
template <class T = unit, class F, class... Args>
  requires std::invocable<F, Args..., callback<T>>
task<result<T>> with_callback(F f, Args... args) {
  return detail::call_with_callback<T>({"with_callback", 0}, std::move(f), std::move(args)...);
}

}  // namespace weft
