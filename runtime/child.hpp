#pragma once
#include <coroutine>
#include <functional>
#include <type_traits>
#include <utility>
#include <weft/runtime/context.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

/// A task with a context of its own: a root, or a child of a scope, of when_all, of race. Base of what owns one.
///
/// Starts from its strand's queue, not beneath the caller. When the task has ended it is back on the strand on which it
/// was started, outside the tree, its frame destroyed; then `ended` is called, once.
template <class T>
class child : public work, public receiver_of<T> {
 public:
  explicit child(strand& home, context* parent = nullptr, const char* name = "task") noexcept
      : own_ctx_{home, parent, name}, origin_{&home} {
    this->ctx = &own_ctx_;
  }
  ~child() {
    if (coroutine_) coroutine_.destroy();
  }

  /// From the home strand's worker for a child with a parent; from any thread for a root. False: the runtime has ended,
  /// nothing was started.
  bool start(task<T> t) noexcept {
    coroutine_ = t.release();
    coroutine_.promise().to = this;
    if (own_ctx_.parent() != nullptr) own_ctx_.enter();
    return origin_->post(*this);
  }

  context& own_context() noexcept { return own_ctx_; }

 protected:
  virtual void ended() noexcept = 0;

 private:
  void run() noexcept final {
    if (done_) {
      finish();
    } else {
      if (own_ctx_.parent() == nullptr) own_ctx_.enter();
      origin_->home().runs_task(own_ctx_.name());
      coroutine_.resume();
    }
  }

  work_label label() const noexcept final { return {own_ctx_.name(), done_ ? "end" : "start"}; }

  std::coroutine_handle<> completed() noexcept final {
    done_ = true;
    own_ctx_.leave();
    if (&own_ctx_.home() != origin_) {  // the task hopped: end where it began
      origin_->post(*this);
    } else {
      finish();
    }
    return std::noop_coroutine();
  }

  void frame_gone() noexcept final { coroutine_ = {}; }

  void finish() noexcept {
    if (coroutine_) std::exchange(coroutine_, {}).destroy();
    ended();  // may destroy *this
  }

  context own_ctx_;
  strand* origin_;
  std::coroutine_handle<task_promise<T>> coroutine_;
  bool done_ = false;
};

/// Copies what a coroutine is given into a frame of its own, so that it may take references to it:
/// `invoke_owned(&player::on_card, this, message)`. `f` is called when the task runs.
template <class F, class... Args>
auto invoke_owned(F f, Args... args) -> std::remove_cvref_t<std::invoke_result_t<F&, Args...>> {
  co_return co_await std::invoke(f, std::move(args)...);
}

namespace detail {

// Whether a coroutine's own frame keeps an argument of type A that it takes as P; otherwise somebody else has to.
template <class P, class A>
inline constexpr bool callee_keeps = std::is_same_v<P, A> || (std::is_scalar_v<P> && std::is_scalar_v<A>);
template <class P, class A>
inline constexpr bool callee_keeps<P&, std::reference_wrapper<A>> = std::is_convertible_v<A*, P*>;

template <class F, class... Args>
struct callee_keeps_all : std::false_type {};
template <class T, class... P, class... Args>
  requires(sizeof...(P) == sizeof...(Args))
struct callee_keeps_all<task<T> (*)(P...), Args...> : std::bool_constant<(callee_keeps<P, Args> && ...)> {};
template <class T, class C, class... P, class Object, class... Args>
  requires(sizeof...(P) == sizeof...(Args))
struct callee_keeps_all<task<T> (C::*)(P...), Object*, Args...> : std::bool_constant<(callee_keeps<P, Args> && ...)> {};
template <class T, class C, class... P, class Object, class... Args>
  requires(sizeof...(P) == sizeof...(Args))
struct callee_keeps_all<task<T> (C::*)(P...) const, Object*, Args...>
    : std::bool_constant<(callee_keeps<P, Args> && ...)> {};
// A lambda without captures is a function.
template <class F, class... Args>
  requires std::is_empty_v<F> && requires(F f) { +f; }
struct callee_keeps_all<F, Args...> : callee_keeps_all<decltype(+std::declval<F&>()), Args...> {};

}  // namespace detail

/// As `invoke_owned`, for the strand on which the task will run: `f` may be called at once. The frame of its own, and its
/// memory, is saved where a coroutine takes all that it is given by value, and so keeps it itself.
template <class F, class... Args>
auto invoke_owned_here(F f, Args... args) -> std::remove_cvref_t<std::invoke_result_t<F&, Args...>> {
  if constexpr (!detail::callee_keeps_all<F, Args...>::value) {
    return invoke_owned(std::move(f), std::move(args)...);
  } else if constexpr (std::is_class_v<F>) {
    return (+f)(std::move(args)...);
  } else {
    return std::invoke(f, std::move(args)...);
  }
}

}  // namespace weft
