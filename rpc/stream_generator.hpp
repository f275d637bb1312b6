#pragma once
#include <coroutine>
#include <exception>
#include <utility>
#include <weft/rpc/stream.hpp>
#include <weft/runtime/ok.hpp>

namespace weft {

/// A coroutine that yields the replies of a stream, for handlers that only write:
///
///     task<status> Count(CountRequest& request, writer<Number>& out) override { return numbers(request).into(out); }
///     generator<Number> numbers(CountRequest& request) {
///       for (int i = 0; i < request.up_to(); ++i) co_yield number(i);
///     }
///
/// It runs as part of the task that awaits `into`, on its strand, and may await whatever a handler may. `co_yield` waits for
/// room, as `writer::write`; when writing fails, the caller being gone for one, the generator ends there, its locals are
/// destroyed, and `into` yields that error. It ends with an error of its own by `co_await weft::ok(error)`. Parameters: as
/// those of a task.
template <class T>
class [[nodiscard]] generator {
 public:
  class promise_type final : public promise_base {
   public:
    using value_type = status;

    generator get_return_object() noexcept {
      return generator{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    detail::ok_task<status> yield_value(T value) { return detail::ok_task<status>{replies->write(std::move(value))}; }
    void return_void() noexcept { static_cast<receiver_of<status>&>(*to).outcome.set(status{}); }
    void unhandled_exception() noexcept {
      static_cast<receiver_of<status>&>(*to).outcome.set_exception(std::current_exception());
    }

    writer<T>* replies = nullptr;
  };

  generator(generator&& other) noexcept : coroutine_{std::exchange(other.coroutine_, {})} {}
  generator& operator=(generator&&) = delete;
  ~generator() {
    if (coroutine_) coroutine_.destroy();
  }

  /// Runs it, each value becoming a reply. `out` must live as long.
  task<status> into(writer<T>& out) && { return run(std::move(*this), &out); }

 private:
  explicit generator(std::coroutine_handle<promise_type> c) noexcept : coroutine_{c} {}

  // Where its outcome goes: into the frame of the task that runs it.
  class awaiter final : public receiver_of<status> {
   public:
    awaiter(std::coroutine_handle<promise_type> c, writer<T>* out) noexcept : coroutine_{c} {
      coroutine_.promise().replies = out;
    }
    awaiter(const awaiter&) = delete;
    awaiter& operator=(const awaiter&) = delete;
    ~awaiter() {
      if (coroutine_) coroutine_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    template <task_promise_type P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> parent) noexcept {
      this->ctx = parent.promise().to->ctx;
      this->next = parent;
      coroutine_.promise().to = this;
      return coroutine_;
    }
    status await_resume() { return this->take(); }

   private:
    std::coroutine_handle<> completed() noexcept override { return std::noop_coroutine(); }
    void frame_gone() noexcept override { coroutine_ = {}; }
    std::coroutine_handle<promise_type> coroutine_;
  };

  static task<status> run(generator g, writer<T>* out) {
    auto outcome = co_await awaiter{std::exchange(g.coroutine_, {}), out};
    co_return outcome;
  }

  std::coroutine_handle<promise_type> coroutine_;
};

}  // namespace weft
