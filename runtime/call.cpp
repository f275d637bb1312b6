#include <weft/runtime/call.hpp>

#include <algorithm>
#include <cassert>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

void call_operation::begin(context& ctx, duration limit) noexcept {
  assert(!begun_);
  begun_ = true;
  if (ctx.stopped()) {
    early_ = cancelled("the calling task is stopped");
    settle();
    return;
  }
  const auto deadline = std::min(ctx.deadline(), saturating_add(ctx.home().home().now(), limit));
  away_ = true;
  early_ = depart(ctx, deadline);
  if (!early_.ok()) {
    away_ = false;
    settle();
  }
}

void call_operation::settle() noexcept {
  settled_ = true;
  if (auto* w = std::exchange(waiter_, nullptr)) w->completed();
}

void call_operation::give_up(status why) noexcept {
  if (settled_) return;
  early_ = std::move(why);
  if (away_) cancel();
  settle();
}

void call_operation::came_back() noexcept {
  away_ = false;
  if (!settled_) settle();
  end_if_done();
}

void call_operation::let_go() noexcept {
  held_ = false;
  waiter_ = nullptr;
  end_if_done();
}

void call_operation::end_if_done() noexcept {
  if (!held_ && !away_ && !referenced()) delete this;
}

namespace detail {

bool call_awaiter_base::begin(call_operation& op, duration limit, std::coroutine_handle<> h, context& ctx,
                              void* where) noexcept {
  if (!op.begun()) op.begin(ctx, limit);
  if (op.settled()) return false;
  operation_ = &op;
  suspend(h, ctx, where);
  op.wait_by(this);
  return true;
}

void call_awaiter_base::on_stop() noexcept { operation_->give_up(cancelled("the calling task was stopped")); }

void dropped_call_misuse() noexcept {
  misuse("a call was dropped without having begun: co_await it, start it in a scope, or send it");
}

}  // namespace detail
}  // namespace weft
