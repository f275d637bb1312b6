#pragma once
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <weft/runtime/call_options.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

class worker;

/// The value of a call that returns nothing.
using unit = std::monostate;

/// Who is told when a call is settled: a suspended task, or the server for a call from another process.
class call_listener {
 public:
  /// Once, on the caller's worker. May let go of the call.
  virtual void completed() noexcept = 0;
  /// The task that waits, on the caller's worker; null when none does.
  virtual const context* waiting_task() const noexcept { return nullptr; }

 protected:
  ~call_listener() = default;
};

/// One call, wherever it goes: to a service on some worker, or out of the process.
///
/// On the caller's worker, except where a derived class says so. It is *settled* once, when the caller's outcome stands:
/// by the reply, or before it by `give_up` (deadline, stop). It is *away* from `begin` until the other side has let go of it.
/// It lives while it is held, away, or referenced, whichever is longest, and then deletes itself.
class call_operation : public pooled {
 public:
  call_operation() = default;
  call_operation(const call_operation&) = delete;
  call_operation& operator=(const call_operation&) = delete;
  virtual ~call_operation() = default;

  /// Sends it off on behalf of `ctx`, whose deadline it inherits. It may be settled on return (refused, stopped).
  void begin(const context& ctx, duration limit) noexcept;
  /// Sends it off on behalf of no task. On `home`, the worker to which the outcome comes.
  void begin(worker& home, time_point deadline) noexcept;
  /// Settles it with an error and tells the other side; no effect when it is settled.
  void give_up(status why) noexcept;
  /// The holder goes.
  void let_go() noexcept;

  /// Before it begins: what it carries beside the request.
  void carries(std::unique_ptr<call_extras> extras) noexcept {
    may_have_run_into_ = extras ? extras->may_have_run_into : nullptr;
    extras_ = std::move(extras);
  }
  /// What came with the reply; null when nothing did, or when it was settled before.
  const call_extras* arrived_extras() const noexcept { return early_.ok() ? extras_.get() : nullptr; }

  /// After it was settled: false when the method surely did not run.
  virtual bool may_have_run() const noexcept { return departed_; }

  /// After it was settled: true when the method surely began.
  virtual bool has_run() const noexcept { return early_.ok() && may_have_run(); }

  bool begun() const noexcept { return begun_; }
  bool settled() const noexcept { return settled_; }
  void tell(call_listener& l) noexcept { listener_ = &l; }

  /// What is called, for dumps: "/lobby.v1.Chat/Say".
  virtual const char* name() const noexcept { return "call"; }
  /// See `wait::blocked_by`.
  virtual const context* blocked_by() const noexcept { return nullptr; }

  struct holder {
    void operator()(call_operation* c) const noexcept { c->let_go(); }
  };

 protected:
  /// Sends it; returns ok when it is away now, otherwise why it did not go. `caller` is the task on whose behalf, or null.
  virtual status depart(worker& home, time_point deadline, const context* caller) noexcept = 0;
  /// It was settled in place of departing: its task is stopped, its deadline over, its metadata cannot be sent.
  virtual void stays(worker& /*home*/) noexcept {}
  /// Tells the other side that nobody waits any more. It is away.
  virtual void cancel() noexcept = 0;
  /// True while something else refers to it.
  virtual bool referenced() const noexcept { return false; }

  /// The other side has let go, the reply can be taken unless it was settled before. May destroy *this.
  void came_back() noexcept;
  /// Destroys *this if nothing keeps it.
  void end_if_done() noexcept;

  const status& early() const noexcept { return early_; }
  /// The caller's before it begins and when it is back, the callee's while it is away. Null when there is nothing.
  const call_extras* extras_if_any() const noexcept { return extras_.get(); }
  call_extras& extras_here() {
    if (!extras_) extras_ = std::make_unique<call_extras>();
    return *extras_;
  }
  /// INTERNAL when the handler's metadata cannot be sent; they are dropped then.
  status check_reply_metadata() { return extras_ ? check_metadata_of_reply() : status{}; }
  /// Metadata of the reply go where the caller wants them.
  void hand_over_extras() const {
    if (extras_ && extras_->headers_into != nullptr) *extras_->headers_into = extras_->headers;
    if (extras_ && extras_->trailers_into != nullptr) *extras_->trailers_into = extras_->trailers;
    if (extras_ && extras_->came_compressed_into != nullptr) {
      *extras_->came_compressed_into = extras_->reply_came_compressed;
    }
  }
  void tell_whether_it_ran() const noexcept {
    if (may_have_run_into_ != nullptr) *may_have_run_into_ = may_have_run();
  }
  const call_listener* listener() const noexcept { return listener_; }

 private:
  void begin(worker& home, time_point deadline, const context* caller) noexcept;
  void settle() noexcept;
  status check_metadata_of_reply();

  call_listener* listener_ = nullptr;
  status early_;  // why it was settled without a reply
  std::unique_ptr<call_extras> extras_;
  bool* may_have_run_into_ = nullptr;  // of the extras, which may be the callee's when this is asked for
  bool begun_ = false;
  bool departed_ = false;
  bool held_ = true;
  bool away_ = false;
  bool settled_ = false;
};

/// A call whose reply is an R.
template <class R>
class call_of : public call_operation {
 public:
  /// Requires: settled. Once.
  result<R> take() {
    if (!early().ok()) {
      tell_whether_it_ran();
      return early();
    }
    auto reply = take_reply();
    tell_whether_it_ran();
    hand_over_extras();
    return reply;
  }

 private:
  virtual result<R> take_reply() = 0;
};

template <class R>
using held_call = std::unique_ptr<call_of<R>, call_operation::holder>;

namespace detail {

// Suspends a task until its call is settled.
class call_awaiter_base : wait, call_listener {
 protected:
  call_awaiter_base() noexcept : wait{"call"} {}
  ~call_awaiter_base() = default;
  bool begin(call_operation& op, duration limit, std::coroutine_handle<> h, context& ctx, void* where) noexcept;

 private:
  void on_stop() noexcept override;
  void completed() noexcept override { finish(); }
  const context* waiting_task() const noexcept override { return ctx(); }
  const context* blocked_by() const noexcept override { return operation_->blocked_by(); }
  call_operation* operation_ = nullptr;
};

[[noreturn]] void dropped_call_misuse() noexcept;
void begin_one_way(call_operation& op, duration limit) noexcept;

}  // namespace detail

/// A call that begins when it is awaited: `auto reply = co_await chat.Say(request)` yields a result<R>.
///
/// Suspends the calling task only, which resumes on its own strand. The deadline is the earlier of the call's limit and the
/// task's deadline; at the deadline (DEADLINE_EXCEEDED) and on stop (CANCELLED) the caller is released at once and the
/// handler's task is stopped. Errors besides the handler's: RESOURCE_EXHAUSTED (the service is full), UNAVAILABLE (it is
/// stopped, or the peer cannot be reached: the method did not run), UNKNOWN (the handler threw).
/// Begin it now and await it later: `scope.start(chat.Say(request))`.
template <class R>
class [[nodiscard]] call {
 public:
  using value_type = result<R>;

  call(held_call<R> operation, call_options options) noexcept
      : operation_{std::move(operation)}, limit_{options.limit()} {
    operation_->carries(options.take_extras());
  }
  call(call&&) noexcept = default;
  call& operator=(call&&) noexcept = default;
  ~call() {
#if WEFT_DEBUG
    if (operation_ && !operation_->begun() && std::uncaught_exceptions() == 0) detail::dropped_call_misuse();
#endif
  }

  /// Begins it on behalf of `ctx`, without waiting; awaiting it later yields the outcome, whenever it came.
  void begin(const context& ctx) noexcept { operation_->begin(ctx, limit_); }

  /// Begins it and forgets it: one way. On a worker. A refusal that is known at once is returned.
  status send() && noexcept {
    auto operation = std::move(operation_);
    detail::begin_one_way(*operation, limit_);
    return operation->settled() ? status_of(operation->take()) : status{};
  }

  /// Drops it on purpose: one that has not begun never does, one that has goes on unwatched.
  void discard() noexcept { operation_.reset(); }

  class awaiter;
  awaiter operator co_await() && noexcept { return {std::move(operation_), limit_}; }

 private:
  held_call<R> operation_;
  duration limit_;
};

template <class R>
class call<R>::awaiter final : detail::call_awaiter_base {
 public:
  awaiter(held_call<R> operation, duration limit) noexcept : operation_{std::move(operation)}, limit_{limit} {}

  bool await_ready() const noexcept { return operation_->settled(); }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    return begin(*operation_, limit_, h, h.promise().ctx(), __builtin_return_address(0));
  }
  result<R> await_resume() { return operation_->take(); }

 private:
  held_call<R> operation_;
  duration limit_;
};

}  // namespace weft
