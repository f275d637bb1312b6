#include <weft/runtime/resume_on.hpp>

#include <weft/runtime/misuse.hpp>

namespace weft {

bool resume_on::move(std::coroutine_handle<> h, context& ctx) noexcept {
  if (&ctx.home() == &there_) return false;
  if (ctx.parent() != nullptr || ctx.first_child() != nullptr) {
    misuse("resume_on in a task that has relatives on its strand (a scope, a handler, when_all): use service.call(f)");
  }
  coroutine_ = h;
  ctx_ = &ctx;
  ctx.leave();
  ctx.rehome(there_);
  // Published here: the other worker may be running the coroutine, and have destroyed *this, when post returns. A runtime
  // does not close while a root task lives, so the post cannot be refused.
  if (!there_.post(*this)) misuse("resume_on a strand of a runtime that has ended");
  return true;
}

void resume_on::run() noexcept {
  ctx_->enter();
  coroutine_.resume();
}

}  // namespace weft
