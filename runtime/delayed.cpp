#include <weft/runtime/delayed.hpp>

#include <algorithm>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

countdown::countdown(worker& home, duration limit) noexcept
    : home_{home}, due_{saturating_add(home.read_clock(), limit)}, left_{limit} {}

duration countdown::remaining() const noexcept {
  if (over_) return duration::zero();
  return std::max(duration::zero(), paused_ ? left_ : due_ - home_.read_clock());
}

bool countdown::extend(duration by) noexcept {
  if (over_) return false;
  if (paused_) {
    left_ += by;
  } else {
    due_ = by < duration::zero() ? due_ + by : saturating_add(due_, by);
    if (waiting_ != nullptr) waiting_->arm();
  }
  return true;
}

void countdown::pause() noexcept {
  if (over_ || paused_) return;
  left_ = remaining();
  paused_ = true;
  if (waiting_ != nullptr) waiting_->arm();
}

void countdown::resume() noexcept {
  if (over_ || !paused_) return;
  paused_ = false;
  due_ = saturating_add(home_.read_clock(), left_);
  if (waiting_ != nullptr) waiting_->arm();
}

bool countdown::awaiter::begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  if (ctx.stopped()) {  // before it could begin
    stopped_ = countdown_.over_ = true;
    return false;
  }
  suspend(h, ctx, where);
  countdown_.waiting_ = this;
  arm();
  return true;
}

void countdown::awaiter::arm() noexcept {
  timer::cancel();
  if (!countdown_.paused_ && countdown_.due_ != never) countdown_.home_.timers().arm(*this, countdown_.due_);
}

void countdown::awaiter::end() noexcept {
  timer::cancel();
  countdown_.over_ = true;
  countdown_.waiting_ = nullptr;
  finish();
}

}  // namespace weft::detail
