#pragma once
#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>
#include <weft/runtime/fiber_stacks.hpp>
#include <weft/runtime/outcome.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

namespace detail {

// A function that runs on a stack of its own, and the coroutine that waits in its place. Whichever of the two runs, it runs
// on the worker's strand beneath that coroutine: `go_on` switches to the function, `wait` back to `go_on`.
class fiber_run {
 public:
  fiber_run(void (*body)(void*), void* argument) noexcept : body_{body}, argument_{argument} {}
  ~fiber_run();
  fiber_run(const fiber_run&) = delete;
  fiber_run& operator=(const fiber_run&) = delete;

  /// Runs the function until it waits (true: for `awaited`) or has ended. Throws std::bad_alloc, the first time.
  bool go_on();
  /// To be awaited before the function goes on.
  task<> awaited() noexcept { return std::move(awaited_); }

  /// From the function: returns when `t` was awaited.
  void wait(task<> t) noexcept;
  /// The fiber that calls this; misuse outside of fibers.
  static fiber_run& here() noexcept;

 private:
  void leave(bool for_good) noexcept;

  void (*const body_)(void*);
  void* const argument_;
  task<> awaited_;
  fiber_stack stack_;
  fiber_stacks* home_ = nullptr;
  void* function_ = nullptr;  // where it goes on
  void* worker_ = nullptr;    // where `go_on` goes on
  bool ended_ = false;

  // Exceptions that the function handles or throws while it waits are its own: __cxa_eh_globals, which are a thread's.
  struct {
    void* caught = nullptr;
    unsigned uncaught = 0;
  } exceptions_;

  // For the sanitizers only.
  void* fake_stack_ = nullptr;
  const void* worker_bottom_ = nullptr;
  std::size_t worker_bytes_ = 0;
  void* tsan_ = nullptr;
  void* worker_tsan_ = nullptr;
};

// References are handed on as pointers.
template <class T>
using awaited_t = std::conditional_t<std::is_reference_v<T>, std::remove_reference_t<T>*, T>;

// What co_await makes of it. (g++ 12 copies an awaiter that has no name.)
template <class A>
decltype(auto) awaiter_of(A& awaitable) {
  if constexpr (requires { awaitable.await_ready(); }) {
    return (awaitable);
  } else {
    return std::move(awaitable).operator co_await();
  }
}

template <class A>
task<> await_into(A* awaitable, outcome<awaited_t<await_result_t<A>>>* to) {
  using T = await_result_t<A>;
  try {
    auto&& awaiter = awaiter_of(*awaitable);
    if constexpr (std::is_void_v<T>) {
      co_await awaiter;
      to->set();
    } else if constexpr (std::is_reference_v<T>) {
      auto& value = co_await awaiter;
      to->set(&value);
    } else {
      auto&& value = co_await awaiter;
      to->set(std::move(value));
    }
  } catch (...) {
    to->set_exception(std::current_exception());
  }
}

}  // namespace detail

/// In a fiber, at whatever depth of ordinary functions: waits for a task, or for anything else that tasks await, and yields
/// what `co_await` would. Other work of the strand runs meanwhile.
///
/// The strand, the stop and the deadline are those of the task that `fiber` is: a stopped wait ends at once and says so,
/// and the function goes on. `await(current())` is its context. Exceptions come out here. Outside of a fiber: misuse, also on
/// the stack of a coroutine that a fiber awaits. No lock of a thread (std::mutex) may be held over it. `resume_on` another
/// worker is a misuse: a function stays in its thread.
/// Cost: two switches of the stack and a coroutine's frame.
template <awaitable A>
await_result_t<A> await(A awaitable) {
  outcome<detail::awaited_t<await_result_t<A>>> ended;
  detail::fiber_run::here().wait(detail::await_into(&awaitable, &ended));
  if constexpr (std::is_reference_v<await_result_t<A>>) {
    return *ended.take();
  } else {
    return ended.take();
  }
}

/// A task that runs `f(args...)`, an ordinary function, on a stack of its own, so that it and what it calls may `await`.
///
/// For code that was not written as coroutines: scripts, parsers, an engine's blocking calls. Everything else is as with any
/// task: lazy, awaited or started in a scope, on the strand of whoever awaits it, its exceptions come out of the `co_await`.
/// Copies what it is given, as `scope.start`. The stack has `runtime_options::fiber_stack` bytes, of which those that were
/// touched cost memory, and a guard page: an overflow ends the process (SIGSEGV).
/// Errors: std::bad_alloc when there is no memory for a stack.
template <class F, class... Args>
auto fiber(F f, Args... args) -> task<std::invoke_result_t<F&, Args...>> {
  using T = std::invoke_result_t<F&, Args...>;
  static_assert(!std::is_reference_v<T>, "a fiber yields values");
  outcome<T> ended;
  auto body = [&] {
    try {
      if constexpr (std::is_void_v<T>) {
        std::invoke(f, std::move(args)...);
        ended.set();
      } else {
        ended.set(std::invoke(f, std::move(args)...));
      }
    } catch (...) {
      ended.set_exception(std::current_exception());
    }
  };
  detail::fiber_run run{[](void* b) { (*static_cast<decltype(body)*>(b))(); }, &body};
  for (bool waits = run.go_on(); waits; waits = run.go_on()) {
    auto awaited = run.awaited();
    co_await std::move(awaited);
  }
  co_return ended.take();
}

}  // namespace weft
