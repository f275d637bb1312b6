#pragma once
#include <coroutine>
#include <functional>
#include <type_traits>
#include <utility>
#include <weft/runtime/child.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

namespace detail {

// Waits for a root task on another strand. As with calls only messages pass between the workers, and each field has one
// owner:
//   1. the waiting side starts the task; from then on the task is the other worker's.
//   2. the other worker, when the task has ended, submits it back (`came_home`).
//   3. a waiting task that is stopped before that submits `order_` to the other worker, which stops the task, if it still
//      runs, and submits `order_` back.
// The waiting task resumes when it is back (2) and no order is out (3).
class visit_elsewhere : protected wait {
 protected:
  visit_elsewhere(strand& here, strand& there) noexcept
      : wait{"run_on"}, here_{here.home()}, there_{there.home()}, homeward_{*this}, order_{*this} {}
  ~visit_elsewhere() = default;

  void begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept { suspend(h, ctx, where); }
  /// On the other worker, its last act.
  void go_home() noexcept;
  /// On the other worker.
  virtual void stop_task() noexcept = 0;

 private:
  struct homeward final : work {
    explicit homeward(visit_elsewhere& v) noexcept : visit{v} {}
    void run() noexcept override { visit.came_home(); }
    visit_elsewhere& visit;
  };
  struct order final : work {
    explicit order(visit_elsewhere& v) noexcept : visit{v} {}
    void run() noexcept override;
    visit_elsewhere& visit;
    bool outward = false;  // whoever has the order
    bool out = false;      // the waiting side's
  };

  void on_stop() noexcept override;
  void came_home() noexcept;
  void finish_if_done() noexcept;

  worker& here_;
  worker& there_;
  homeward homeward_;
  order order_;
  bool home_ = false;  // the waiting side's
};

template <class T>
class elsewhere final : visit_elsewhere, child<T> {
 public:
  elsewhere(context& ctx, strand& there, task<T> t) noexcept
      : visit_elsewhere{ctx.home(), there}, child<T>{there, nullptr, ctx.name()}, task_{std::move(t)} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE void await_suspend(std::coroutine_handle<P> h) noexcept {
    auto& ctx = h.promise().ctx();
    begin(h, ctx, __builtin_return_address(0));
    this->own_context().limit_deadline(ctx.deadline());
    this->own_context().inherit_annotations(ctx);
    if (ctx.stopped()) this->own_context().stop();
    child<T>::start(std::move(task_));  // published: nothing of *this is touched from here on
  }
  void await_resume() const noexcept {}
  T take() { return child<T>::take(); }

 private:
  void ended() noexcept override { go_home(); }
  void stop_task() noexcept override { this->own_context().stop(); }
  task<T> task_;
};

}  // namespace detail

/// `co_await run_on(strand, f, args...)`: runs `f(args...)`, a coroutine, as a task on another strand, of whatever worker,
/// and yields what it yields, here. Copies what it is given; `f` and the copies are destroyed there.
///
/// For a service's state use `service.call`, which knows limits and re-entrancy. The deadline goes along. Cancel: stop
/// reaches the task there; it is awaited. An exception comes out here. `f` must stay on that strand (no `resume_on`). Its calls
/// descend from nobody: to an exclusive handler that waits here they are strangers.
template <class F, class... Args>
auto run_on(strand& there, F f, Args... args) -> task<await_result_t<std::invoke_result_t<F&, Args...>>> {
  auto& ctx = co_await current();
  if (&ctx.home() == &there) co_return co_await std::invoke(f, std::move(args)...);
  detail::elsewhere<await_result_t<std::invoke_result_t<F&, Args...>>> visit{
      ctx, there, invoke_owned(std::move(f), std::move(args)...)};
  co_await visit;
  co_return visit.take();
}

/// Where something is to run: `waterfall(on(strand), steps...)`.
class on {
 public:
  explicit on(strand& there) noexcept : there_{&there} {}
  strand& there() const noexcept { return *there_; }

 private:
  strand* there_;
};

}  // namespace weft
