#pragma once
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <weft/runtime/child.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/wait_cycle.hpp>
#include <weft/runtime/wait_list.hpp>

namespace weft {

class delayed;
class scope;
template <class T>
class started;

namespace detail {

class key_lanes;

// Owned by its scope until it has ended, and by the handle that awaits it, whichever lasts longer. One strand, no atomics.
template <class T>
class scope_child final : public child<T>, public pooled {
 public:
  scope_child(scope& owner, context& parent, const char* name) noexcept
      : child<T>{parent.home(), &parent, name}, owner_{&owner} {}

  void retain() noexcept { ++references_; }
  void release() noexcept {
    if (--references_ == 0) delete this;
  }
  bool has_ended() const noexcept { return owner_ == nullptr; }
  wait_list& joiners() noexcept { return joiners_; }

 private:
  void ended() noexcept override;

  scope* owner_;
  int references_ = 1;
  wait_list joiners_;
};

}  // namespace detail

/// A nursery: tasks started in it run side by side on the strand of the task that opened it, and cannot outlive it.
///
/// Opened by `with_scope`, which ends when everything in it has ended. Errors as values concern nobody else; an exception
/// that escapes from one task stops the others and comes out of `with_scope`. On its strand only.
class scope {
 public:
  ~scope();
  scope(const scope&) = delete;
  scope& operator=(const scope&) = delete;

  /// Starts a task or any awaitable (a call) now; the handle awaits it later, or is dropped.
  template <awaitable A>
  started<await_result_t<A>> start(A awaitable, const char* name = "task");

  /// Starts `f(args...)`, a coroutine, which is called at once and runs in its turn. It keeps copies of what it is given, so
  /// `f` may take const references.
  template <class F, class... Args>
    requires std::invocable<F&, Args...>
  auto start(F f, Args... args) {
    return start(invoke_owned_here(std::move(f), std::move(args)...));
  }

  /// `after(15s, f, args...)`: starts `f(args...)`, a coroutine, when the time is over, unless it or the scope is stopped
  /// before. The handle can put it off, pause it, and tell what remains: see `delayed`.
  template <class F, class... Args>
  delayed after(duration delay, F f, Args... args);

  /// Stops everything in it. What is started later finds itself stopped.
  void stop() noexcept;
  bool stopped() const noexcept { return ctx_.stopped(); }
  /// Tasks that have not ended.
  std::size_t running() const noexcept { return running_; }
  context& own_context() noexcept { return ctx_; }

 private:
  template <class F, class... Args>
  friend auto with_scope(F f, Args... args) -> task<typename std::invoke_result_t<F&, Args..., scope&>::value_type>;
  template <class T>
  friend class detail::scope_child;

  explicit scope(context& opener) noexcept;

  friend class lane;
  friend class detail::key_lanes;
  // A job of a lane: nobody awaits it, so its calls descend from nobody.
  void start_job(task<> job, const char* name);

  class join_awaiter final : wait {
   public:
    explicit join_awaiter(scope& s) noexcept : wait{"scope"}, scope_{s} {}
    bool await_ready() const noexcept { return scope_.running_ == 0; }
    template <task_promise_type P>
    WEFT_NOINLINE void await_suspend(std::coroutine_handle<P> h) noexcept {
      suspend(h, h.promise().ctx(), __builtin_return_address(0));
      scope_.joiner_ = this;
    }
    void await_resume() const noexcept {}
    void done() noexcept { finish(); }

   private:
    void on_stop() noexcept override {}  // reaches the children through the tree
    scope& scope_;
  };

  void child_ended(std::exception_ptr thrown) noexcept;

  context ctx_;  // between the opener's and the children's: what `stop` acts on
  std::size_t running_ = 0;
  join_awaiter* joiner_ = nullptr;
  std::exception_ptr thrown_;
};

/// A task that was started in a scope. Await it once for its value; dropping it changes nothing for the task.
template <class T>
class [[nodiscard("bind it to a name, or to std::ignore")]] started {
 public:
  explicit started(detail::scope_child<T>& c) noexcept : child_{&c} { c.retain(); }
  started(started&& other) noexcept : child_{std::exchange(other.child_, nullptr)} {}
  started& operator=(started&& other) noexcept {
    std::swap(child_, other.child_);
    return *this;
  }
  ~started() {
    if (child_ != nullptr) child_->release();
  }

  bool done() const noexcept { return child_->has_ended(); }
  /// Stops this task only.
  void stop() noexcept {
    if (!done()) child_->own_context().stop();
  }

  /// Waits for its end. A task that itself waits, directly or not, for the one that awaits it here would never end: that is
  /// ABORTED with the path, or, where T is no result, thrown as `wait_cycle`. Cancel: where T is a result or a status, the waiter gets CANCELLED at once and the task goes on;
  /// otherwise the wait lasts until the task has ended. An exception of the task is rethrown here too.
  auto operator co_await() && noexcept { return awaiter{*child_}; }

 private:
  friend detail::select_case<started>;

  class awaiter final : listed_wait {
   public:
    explicit awaiter(detail::scope_child<T>& c) noexcept : listed_wait{"started task"}, child_{c} { c.retain(); }
    ~awaiter() { child_.release(); }
    bool await_ready() const noexcept { return child_.has_ended(); }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) {
      auto* const where = __builtin_return_address(0);
      cycle_ = find_wait_cycle(h.promise().ctx(), child_.own_context());
      if (!cycle_.empty()) return false;
      if constexpr (is_result<T>) return child_.joiners().wait_in(*this, h, h.promise().ctx(), where);
      child_.joiners().wait_to_the_end_in(*this, h, h.promise().ctx(), where);
      return true;
    }
    T await_resume() {
      if (!cycle_.empty()) {
        if constexpr (is_result<T>) return aborted("deadlock: " + cycle_);
        throw wait_cycle{cycle_};
      }
      if constexpr (is_result<T>) {
        if (stopped() && !child_.has_ended()) return cancelled("stopped while waiting for a started task");
      }
      return child_.take();
    }

   private:
    const context* blocked_by() const noexcept override { return &child_.own_context(); }
    void on_stop() noexcept override {
      if constexpr (is_result<T>) listed_wait::on_stop();  // else there is no value before the task has ended
    }
    detail::scope_child<T>& child_;
    std::string cycle_;
  };

  template <class F, class... Args>
  friend auto with_scope(F f, Args... args) -> task<typename std::invoke_result_t<F&, Args..., scope&>::value_type>;

  detail::scope_child<T>* child_;
};

namespace detail {

template <class T>
void scope_child<T>::ended() noexcept {
  auto* owner = std::exchange(owner_, nullptr);
  auto thrown = this->outcome.exception();
  joiners_.wake_all();
  release();
  owner->child_ended(std::move(thrown));
}

}  // namespace detail

template <awaitable A>
started<await_result_t<A>> scope::start(A awaitable, const char* name) {
  using T = await_result_t<A>;
  ctx_.must_be_home("the scope");
  auto* c = new detail::scope_child<T>{*this, ctx_, name};
  started<T> handle{*c};
  ++running_;
  c->start(as_task(std::move(awaitable)));
  return handle;
}

/// Opens a scope, runs `f(args..., scope)` in it (`with_scope(&player::run, this)`), and ends when that and everything started
/// in it has ended, with what `f` returned. Copies what it is given. Cancel: stop reaches everything inside, which is awaited.
template <class F, class... Args>
auto with_scope(F f, Args... args) -> task<typename std::invoke_result_t<F&, Args..., scope&>::value_type> {
  auto& ctx = co_await current();
  scope s{ctx};
  auto body = s.start(invoke_owned(std::move(f), std::move(args)..., std::ref(s)), "scope body");
  body.child_->own_context().speaks_for_parent();
  co_await scope::join_awaiter{s};
  if (s.thrown_) std::rethrow_exception(s.thrown_);
  co_return co_await std::move(body);
}

}  // namespace weft

#include <weft/runtime/delayed.hpp>  // what `after` returns
