#pragma once
#include <coroutine>
#include <exception>
#include <utility>
#include <weft/runtime/result.hpp>
#include <weft/runtime/service_call.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

/// A service call whose handler is a coroutine that returns `reply<R>`.
template <class R>
class handler_call : public service_call, public receiver_of<result<R>> {
 protected:
  handler_call(service& to, const char* method) noexcept : service_call{to, method} { this->ctx = &own_context(); }
  ~handler_call() {
    if (handler_) handler_.destroy();
  }

  /// Creates the handler's coroutine; it may throw.
  virtual reply<R> make_handler() = 0;
  /// The handler has ended, its frame is gone, `outcome` holds what it returned.
  virtual void replied() noexcept = 0;

  /// What to tell the caller. Once.
  result<R> take_outcome() {
    if (this->outcome.has_value()) return std::move(this->outcome.value());
    return unknown_error("the handler failed");
  }
  /// The same without a move: what `f(const R&)` says of the reply, or why there is none.
  template <class F>
  status tell_outcome(F f) {
    if (!this->outcome.has_value()) return unknown_error("the handler failed");
    auto& told = this->outcome.value();
    return told.ok() ? f(std::as_const(*told)) : std::move(told).status();
  }

 private:
  void start_handler() noexcept final {
    try {
      handler_ = make_handler().release();
    } catch (...) {
      this->outcome.set_exception(std::current_exception());
      end();
      return;
    }
    handler_.promise().to = this;
    handler_.resume();
  }
  std::coroutine_handle<> completed() noexcept final {
    end();
    return std::noop_coroutine();
  }
  void frame_gone() noexcept final { handler_ = {}; }
  void end() noexcept {
    if (handler_) std::exchange(handler_, {}).destroy();
    ended(this->outcome.exception());
    replied();
  }

  std::coroutine_handle<task_promise<result<R>>> handler_;
};

}  // namespace weft
