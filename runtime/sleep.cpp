#include <weft/runtime/sleep.hpp>

#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

bool detail::sleep_awaiter::arm(std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  if (ctx.stopped()) {
    stopped_ = true;
    return false;
  }
  auto& home = ctx.home().home();
  if (how_long_ != duration::min()) until_ = saturating_add(home.read_clock(), how_long_);
  suspend(h, ctx, where);
  if (until_ != never) home.timers().arm(*this, until_);
  return true;
}

void yield::give_way(std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  suspend(h, ctx, where);
  finish();
  ctx.home().home().end_batch();
}

}  // namespace weft
