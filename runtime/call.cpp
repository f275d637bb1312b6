#include <weft/runtime/call.hpp>

#include <algorithm>
#include <cassert>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

namespace {

// The time of this round may be some milliseconds old. A long limit does not notice, and reading the clock costs 20 ns.
time_point latest_end(worker& home, duration limit) noexcept {
  constexpr duration long_limit = std::chrono::seconds{1};
  return saturating_add(limit < long_limit ? home.read_clock() : home.now(), limit);
}

}  // namespace

void call_operation::begin(const context& ctx, duration limit) noexcept {
  if (ctx.stopped()) {
    begun_ = true;
    early_ = cancelled("the calling task is stopped");
    stays(ctx.home().home());
    settle();
    return;
  }
  auto& home = ctx.home().home();
  begin(home, std::min(ctx.deadline(), latest_end(home, limit)), &ctx);
}

void call_operation::begin(worker& home, time_point deadline) noexcept { begin(home, deadline, nullptr); }

void call_operation::begin(worker& home, time_point deadline, const context* caller) noexcept {
  assert(!begun_);
  begun_ = true;
  away_ = true;
  // Checked here for every kind of call: gRPC rounds deadlines up to milliseconds.
  if (extras_) early_ = extras_->sent.check();
  if (early_.ok() && deadline <= home.now()) {
    early_ = deadline_exceeded("the deadline had passed before the call began");
  }
  if (early_.ok()) {
    early_ = depart(home, deadline, caller);
  } else {
    stays(home);
  }
  departed_ = early_.ok();
  if (!early_.ok()) {
    away_ = false;
    settle();
  }
}

void call_operation::settle() noexcept {
  settled_ = true;
  if (auto* l = std::exchange(listener_, nullptr)) l->completed();
}

void call_operation::give_up(status why) noexcept {
  if (settled_) return;
  early_ = std::move(why);
  if (away_) cancel();
  settle();
}

status call_operation::check_metadata_of_reply() {
  auto s = extras_->headers.check();
  if (s.ok()) s = extras_->trailers.check();
  if (s.ok()) return s;
  extras_->headers = extras_->trailers = {};
  return internal_error(std::string{name()} + ": " + s.message());
}

void call_operation::came_back() noexcept {
  if (!settled_) {
    // A listener may let go of it here; still away, it cannot be destroyed before the last line.
    settle();
  }
  away_ = false;
  end_if_done();
}

void call_operation::let_go() noexcept {
  held_ = false;
  listener_ = nullptr;
  end_if_done();
}

void call_operation::end_if_done() noexcept {
  if (!held_ && !away_ && !referenced()) delete this;
}

namespace detail {

bool call_awaiter_base::begin(call_operation& op, duration limit, std::coroutine_handle<> h, context& ctx,
                              void* where) noexcept {
  if (!op.begun()) {
    op.begin(ctx, limit);
  } else if (ctx.stopped()) {
    op.give_up(cancelled("the calling task is stopped"));
  }
  if (op.settled()) return false;
  operation_ = &op;
  waits_for(op.name());
  suspend(h, ctx, where);
  op.tell(*this);
  return true;
}

void call_awaiter_base::on_stop() noexcept { operation_->give_up(cancelled("the calling task was stopped")); }

void begin_one_way(call_operation& op, duration limit) noexcept {
  auto* home = worker::current();
  if (home == nullptr) misuse("a one-way call was sent from a thread that is no worker: post to a strand first");
  op.begin(*home, latest_end(*home, limit));
}

void dropped_call_misuse() noexcept {
  misuse("a call was dropped without having begun: co_await it, start it in a scope, or send it");
}

}  // namespace detail
}  // namespace weft
