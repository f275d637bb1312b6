#pragma once
#include <coroutine>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/wait_list.hpp>

namespace weft {

/// A bounded first-in-first-out channel between coroutines of one worker. Must outlive its waiters.
///
/// No value is lost: a receiver that is stopped while it waits has taken nothing, and what `try_push` accepted is received
/// even after `close`.
template <class T>
class queue {
 public:
  /// Requires: limit > 0.
  explicit queue(std::size_t limit) : limit_{limit} {}

  /// RESOURCE_EXHAUSTED when `limit` values wait, FAILED_PRECONDITION when closed; `value` is then untouched.
  status try_push(T&& value) {
    if (closed_) return failed_precondition("the queue is closed");
    if (values_.size() >= limit_) return resource_exhausted("the queue holds " + std::to_string(limit_) + " values");
    accept(std::move(value));
    return {};
  }
  status try_push(const T& value) { return try_push(T{value}); }

  /// `co_await q.push(value)`: waits for room. Errors: CANCELLED (the task was stopped; nothing was pushed),
  /// FAILED_PRECONDITION (closed).
  task<status> push(T value) {
    while (!closed_ && values_.size() >= limit_) {
      if (auto s = co_await waiting{*this, room_, "queue push"}; !s.ok()) co_return s;
    }
    co_return try_push(std::move(value));
  }

  std::optional<T> try_pop() {
    if (values_.empty()) return std::nullopt;
    std::optional<T> value{std::move(values_.front())};
    values_.pop_front();
    if (auto* w = room_.pop()) wait_list::wake(*w);
    return value;
  }

  /// `co_await q.pop()`: the oldest value; empty when the queue is closed and drained, or the task was stopped.
  task<std::optional<T>> pop() {
    while (values_.empty() && !closed_) {
      if (auto s = co_await waiting{*this, values_wanted_, "queue pop"}; !s.ok()) co_return std::nullopt;
    }
    co_return try_pop();
  }

  /// No more pushes; receivers get what is left, then empty.
  void close() noexcept {
    closed_ = true;
    values_wanted_.wake_all();
    room_.wake_all();
  }

  bool closed() const noexcept { return closed_; }
  std::size_t size() const noexcept { return values_.size(); }
  std::size_t limit() const noexcept { return limit_; }

 private:
  friend detail::select_case<queue>;

  void accept(T&& value) {
    values_.push_back(std::move(value));
    if (auto* w = values_wanted_.pop()) wait_list::wake(*w);
  }

  class awaiter final : listed_wait {
   public:
    awaiter(queue& q, wait_list& list, const char* what) noexcept : listed_wait{what}, queue_{q}, list_{list} {}
    bool await_ready() const noexcept { return false; }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return list_.wait_in(*this, h, h.promise().ctx(), __builtin_return_address(0));
    }
    status await_resume() const { return stopped() ? cancelled("stopped while waiting in a queue") : status{}; }

   private:
    queue& queue_;
    wait_list& list_;
  };
  struct waiting {
    queue& q;
    wait_list& list;
    const char* what;
    awaiter operator co_await() const noexcept { return {q, list, what}; }
  };

  std::deque<T> values_;
  std::size_t limit_;
  wait_list values_wanted_;
  wait_list room_;
  bool closed_ = false;
};

}  // namespace weft
