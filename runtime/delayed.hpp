#pragma once
#include <coroutine>
#include <functional>
#include <memory>
#include <utility>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft {

namespace detail {

// A time that one task waits for and that others move meanwhile. One strand.
class countdown {
 public:
  countdown(worker& home, duration limit) noexcept;

  bool over() const noexcept { return over_; }
  duration remaining() const noexcept;
  bool extend(duration by) noexcept;
  void pause() noexcept;
  void resume() noexcept;
  /// Its task was stopped.
  void call_off() noexcept { over_ = true; }

  class awaiter final : wait, timer {
   public:
    explicit awaiter(countdown& c) noexcept : wait{"timer"}, countdown_{c} {}
    bool await_ready() const noexcept { return false; }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return begin(h, h.promise().ctx(), __builtin_return_address(0));
    }
    bool await_resume() const noexcept { return !stopped_; }

   private:
    friend countdown;
    bool begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept;
    void arm() noexcept;
    void end() noexcept;
    void expired() noexcept override { end(); }
    void on_stop() noexcept override {
      stopped_ = true;
      end();
    }
    countdown& countdown_;
    bool stopped_ = false;
  };
  /// Once. False: the task was stopped.
  awaiter time_is_up() noexcept { return awaiter{*this}; }

 private:
  worker& home_;
  time_point due_{};  // while it runs
  duration left_;     // while it is paused
  awaiter* waiting_ = nullptr;
  bool paused_ = false;
  bool over_ = false;
};

}  // namespace detail

/// What `scope::after` is going to start: a turn's time limit that can be moved. On the scope's strand.
///
///     auto turn = scope.after(15s, &table::play_for, this, seat);
///     turn.extend(5s);                  // the player asked for more time
///     turn.stop();                      // the player has played
class [[nodiscard("bind it to a name, or to std::ignore")]] delayed {
 public:
  delayed(std::shared_ptr<detail::countdown> time, started<void> task) noexcept
      : time_{std::move(time)}, task_{std::move(task)} {}

  /// Until it starts; zero once it has. While paused it stays what it is.
  duration remaining() const noexcept { return time_->remaining(); }
  /// Later by `by`, or earlier when that is negative. False when it is too late: it has started, or was stopped.
  bool extend(duration by) noexcept { return time_->extend(by); }
  /// Its time stands still until `resume`. No effect once it has started, or when it is paused already.
  void pause() noexcept { time_->pause(); }
  void resume() noexcept { time_->resume(); }

  /// It does not start any more; if it has, it is stopped.
  void stop() noexcept {
    task_.stop();
    time_->call_off();
  }
  /// It has ended, or will not start.
  bool done() const noexcept { return task_.done(); }
  /// Waits for its end: see `started`.
  auto operator co_await() && noexcept { return std::move(task_).operator co_await(); }

 private:
  std::shared_ptr<detail::countdown> time_;
  started<void> task_;
};

namespace detail {

template <class F, class... Args>
task<> run_after(std::shared_ptr<countdown> time, F f, Args... args) {
  const bool over = co_await time->time_is_up();
  if (over) co_await std::invoke(f, std::move(args)...);
}

}  // namespace detail

template <class F, class... Args>
delayed scope::after(duration delay, F f, Args... args) {
  auto time = std::make_shared<detail::countdown>(ctx_.home().home(), delay);
  return {time, start(detail::run_after<F, Args...>(time, std::move(f), std::move(args)...), "timer")};
}

}  // namespace weft
