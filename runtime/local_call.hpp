#pragma once
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <weft/runtime/call.hpp>
#include <weft/runtime/child.hpp>
#include <weft/runtime/handler_call.hpp>
#include <weft/runtime/service_class.hpp>
#include <weft/runtime/timer_wheel.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

/// A call from a task of this process. Lives on the caller's worker, is lent to the service's.
///
/// Between two workers only messages pass, and every field has one owner:
///   1. the caller submits it to the service; from then on the handler's side is the service's worker's.
///   2. the service's worker, when the handler has ended or the call was refused, submits it back.
///   3. a caller that gives up before that submits `order_` to the service's worker, which stops the handler, if it still
///      runs, and submits `order_` back.
/// The caller's worker destroys it when it is back (2) and no order is out (3). So nothing is shared, and nothing is locked.
/// On one worker the messages are function calls.
template <class R>
class local_call : public call_of<R>, public handler_call<R>, timer {
 public:
  /// In place of `take`, for who needs the reply only to pass it on: what `f(const R&)` says of it, or why there is none.
  /// Requires: settled. Once.
  template <class F>
  status take_to(F f) {
    if (!this->early().ok()) return this->early();
    if (!refusal_.ok()) return refusal_;
    if (auto s = this->check_reply_metadata(); !s.ok()) return s;
    return this->tell_outcome(std::move(f));
  }

 protected:
  local_call(service& to, const char* method) noexcept : handler_call<R>{to, method} {}

  status depart(worker& home, time_point deadline, const context* caller) noexcept override {
    caller_home_ = &home;
    service_home_ = &this->to().strand().home();
    this->own_context().limit_deadline(deadline);
    if (caller != nullptr) {
      this->own_context().inherit_annotations(*caller);
      if (caller->handler() != nullptr) this->descends_from(caller->handler()->passes_on());
    }
    auto outcome = this->to().submit(*this);
    if (outcome.ok() && deadline != never) caller_home_->timers().arm(*this, deadline);
    return outcome;
  }

  bool same_worker() const noexcept { return caller_home_ == service_home_; }
  worker& caller_home() const noexcept { return *caller_home_; }

 private:
  // Made when it is needed: few calls to other workers are given up.
  struct order final : work, pooled {
    explicit order(local_call& c) noexcept : call{c} {}
    void run() noexcept override {
      if (outward) {
        outward = false;
        call.caller_gone();
        call.caller_home_->submit(*this);
      } else {
        auto& c = call;
        c.order_ = nullptr;
        delete this;
        c.end_if_done();
      }
    }
    local_call& call;
    bool outward = true;  // whoever has the order
  };

  const char* name() const noexcept override { return this->method(); }
  call_extras& extras() override { return this->extras_here(); }
  // On one worker the stage tells: who waits in the mailbox without a caller is never run. On two, while it is away, both
  // the stage and the refusal are the service's.
  bool may_have_run() const noexcept override {
    if (!call_of<R>::may_have_run()) return false;
    return same_worker() ? ran_here() : !this->early().ok() || refusal_.ok();
  }
  bool has_run() const noexcept override {
    if (!call_of<R>::may_have_run()) return false;
    return same_worker() ? ran_here() : this->early().ok() && refusal_.ok();
  }
  bool ran_here() const noexcept { return refusal_.ok() && this->at() != service_call::stage::mailbox; }
  const context* blocked_by() const noexcept override {
    return same_worker() && this->begun() && !this->settled() ? this->to().blocker_of(*this) : nullptr;
  }
  const context* caller() const noexcept override {
    return same_worker() && this->listener() != nullptr ? this->listener()->waiting_task() : nullptr;
  }
  void cancel() noexcept override {
    if (same_worker()) {
      this->caller_gone();
      return;
    }
    order_ = std::make_unique<order>(*this).release();
    if (!service_home_->submit(*order_)) delete std::exchange(order_, nullptr);  // the runtime has ended
  }
  bool referenced() const noexcept override { return order_ != nullptr; }
  void expired() noexcept override { this->give_up(deadline_exceeded(std::string{this->method()} + " took too long")); }
  result<R> take_reply() override {
    if (!refusal_.ok()) return refusal_;
    if (auto s = this->check_reply_metadata(); !s.ok()) return s;
    return this->take_outcome();
  }

  void refused(status why) noexcept override {
    refusal_ = std::move(why);
    go_home();
  }
  void replied() noexcept override { go_home(); }

  void go_home() noexcept {
    if (same_worker()) {
      came_home();
    } else {
      this->travel_home(*caller_home_);
    }
  }
  void came_home() noexcept override {
    timer::cancel();
    this->came_back();
  }

  worker* caller_home_ = nullptr;
  worker* service_home_ = nullptr;  // the service itself may be gone while the reply is on its way home
  status refusal_;                  // written by the service's worker before the way home
  order* order_ = nullptr;          // the caller's; while it is out
};

namespace detail {

template <class T>
struct handler_value {
  using type = T;
};
template <>
struct handler_value<void> {
  using type = unit;
};
template <class T>
struct handler_value<result<T>> {
  using type = T;
};
template <>
struct handler_value<status> {
  using type = unit;
};
template <class T>
struct handler_value<task<T>> : handler_value<T> {};

// Runs whatever shape of function as a handler.
template <class F, class R = typename handler_value<std::invoke_result_t<F&>>::type>
reply<R> as_handler(F f) {
  using returned = std::invoke_result_t<F&>;
  if constexpr (awaitable<returned>) {
    using value = await_result_t<returned>;
    if constexpr (std::is_void_v<value>) {
      co_await f();
      co_return unit{};
    } else if constexpr (std::is_same_v<value, status>) {
      auto s = co_await f();
      if (!s.ok()) co_return s;
      co_return unit{};
    } else {
      co_return co_await f();
    }
  } else if constexpr (std::is_void_v<returned>) {
    f();
    co_return unit{};
  } else if constexpr (std::is_same_v<returned, status>) {
    auto s = f();
    if (!s.ok()) co_return s;
    co_return unit{};
  } else {
    co_return f();
  }
}

template <class F, class R = typename handler_value<std::invoke_result_t<F&>>::type>
class function_call final : public local_call<R> {
 public:
  function_call(service& to, const char* name, F f) : local_call<R>{to, name}, function_{std::move(f)} {}

 private:
  reply<R> make_handler() override { return as_handler<F, R>(std::move(function_)); }
  F function_;
};

}  // namespace detail

template <class F, class... Args>
  requires std::invocable<F&, Args&&...>
void service::start(const char* name, F f, Args... args) {
  auto own = [f = std::move(f), ... args = std::move(args)]() mutable {
    return invoke_owned_here(std::move(f), std::move(args)...);
  };
  if (!doorway_->enter()) return log_not_started(stopped_error());
  const auto queued = strand_->try_post([this, name, own = std::move(own)]() mutable {
    auto sent = as_kind(service_call::kind::background, name, std::move(own), within{duration::max()}).send();
    if (!sent.ok()) log_not_started(sent);
    came_in();
  });
  if (queued.ok()) return;
  doorway_->leave();
  log_not_started(queued);
}

template <class F>
auto service::as_kind(service_call::kind k, const char* name, F f, call_options options) {
  using R = typename detail::handler_value<std::invoke_result_t<F&>>::type;
  auto* operation = new detail::function_call<F>{*this, name, std::move(f)};
  operation->becomes(k);
  return weft::call<R>{held_call<R>{operation}, std::move(options)};
}

template <class F>
auto service::call(F f, call_options options) {
  using operation = detail::function_call<F>;
  using R = typename detail::handler_value<std::invoke_result_t<F&>>::type;
  return weft::call<R>{held_call<R>{new operation{*this, "function", std::move(f)}}, std::move(options)};
}

}  // namespace weft
