#pragma once
#include <coroutine>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

/// `co_await resume_on(strand)`: the task goes on, on that strand, and belongs to it from now on; what it awaits resumes
/// there. Costs nothing when it is there already.
///
/// For root tasks (`spawn`, `sync_wait`) only, outside of scopes and of `when_all`: a task with relatives is bound to their
/// strand, and doing otherwise is a misuse. To run something on another strand and come back, call it: `service.call(f)`.
/// When the task ends it is ended on the strand on which it began.
class [[nodiscard]] resume_on final : work {
 public:
  explicit resume_on(strand& there) noexcept : there_{there} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    return move(h, h.promise().ctx());
  }
  void await_resume() const noexcept {}

 private:
  bool move(std::coroutine_handle<> h, context& ctx) noexcept;
  void run() noexcept override;
  work_label label() const noexcept override { return {"", "resume on"}; }

  strand& there_;
  std::coroutine_handle<> coroutine_;
  context* ctx_ = nullptr;
};

}  // namespace weft
