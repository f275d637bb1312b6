// How services end: stop, retirement, destruction. What they do with calls is in service.cpp.
#include <string>
#include <tuple>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/service_ticker.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

service::~service() {
  bool closed = false;
  std::string unfinished;
  const auto look = [&] {
    closed = doorway_->try_close();
    if (running_ != 0 || own_tasks_ != 0 || !mailbox_.empty() || arriving_ + arriving_own_ != 0) {
      unfinished = "with " + std::to_string(running_ + own_tasks_) + " calls and tasks running and " +
                   std::to_string(mailbox_.size() + arriving_ + arriving_own_) + " waiting";
    } else if (ticker_ && ticker_->active()) {
      unfinished = "while it ticks";
    }
  };
  // Its state is its worker's. What is on the way, and awaited by nobody any more, comes in and is refused.
  const bool outside = worker::current() == nullptr;
  if (!outside || !strand_->home().threaded() || !visit(strand_->home(), look)) look();
  while (!closed && unfinished.empty() && outside && visit(strand_->home(), look)) {
  }
  if (!closed && unfinished.empty()) unfinished = "while calls or own tasks are on their way to it";
  if (!unfinished.empty()) {
    misuse(std::string{"service '"} + options_.name + "' was destroyed " + unfinished + ": stop it first");
  }
  strand_->home().leave(*this);
}

void service::on_tick(duration) {}
bool service::plays_on(std::string_view) const { return false; }
bool service::played_out() const { return true; }
task<> service::snapshot() { co_return; }

void service::came_in() noexcept {
  doorway_->leave();
  tell_progress();
}

void service::tell_progress() noexcept {
  if (running_ != 0 || arriving_ + arriving_own_ != 0 || !mailbox_.empty() || start_more_.queued) return;
  if (retiring_ && !stopping_ && played_out()) {
    stopping_ = true;
    played_out_.set();
  }
  if (!stopping_ || observers_ != 0) return;
  tasks_.stop();
  if (ticker_) {
    ticker_->end();
    if (ticker_->queued()) return;  // it tells again
  }
  if (own_tasks_ == 0 && doorway_->try_close()) stopped_.set();
}

void service::begin_stop(stop_mode mode) noexcept {
  stopping_ = true;
  doorway_->begin_closing();
  played_out_.set();  // who retires it need not wait for that any more
  if (mode == stop_mode::abort) {
    aborting_ = true;
    handlers_.stop();
    while (!mailbox_.empty()) {
      auto& c = *mailbox_.front();
      dequeue(mailbox_.begin());
      start(c);
    }
  }
  tell_progress();
}

task<> service::finish_stop(stop_mode mode) {
  begin_stop(mode);
  std::ignore = co_await shield(stopped_.wait(), duration::max());
}

void service::refuse_own_stop(const context& caller) const noexcept {
  for (const auto* c = &caller; c != nullptr; c = c->parent()) {
    if (c != &handlers_ && c != &tasks_) continue;
    misuse(std::string{"service '"} + options_.name + "' is stopped by '" + caller.name() +
           "', a handler or task of its own, for which that would wait: send the stop, or stop it from outside");
  }
}

task<> service::stop(stop_mode mode) {
  refuse_own_stop(co_await current());
  std::ignore = co_await shield(
      as_kind(
          service_call::kind::control, "stop", [this, mode] { return finish_stop(mode); }, within{duration::max()}),
      duration::max());
}

// 1. `retiring_`: only what plays on is let in.
// 2. Played out, with nothing running or waiting: `stopping_` in the same step, so that nothing comes in between.
//    Or the limit is over: what still runs is stopped.
// 3. Nothing of the service runs any more: the snapshot.
task<bool> service::finish_retire(duration limit) {
  retiring_ = true;
  tell_progress();
  const bool played = (co_await with_timeout(limit, played_out_.wait())).ok() && played_out();
  co_await finish_stop(played ? stop_mode::drain : stop_mode::abort);
  co_await shield(snapshot(), limit);
  co_return played;
}

task<bool> service::retire(duration limit) {
  refuse_own_stop(co_await current());
  auto played = co_await shield(as_kind(
                                    service_call::kind::control, "retire",
                                    [this, limit] { return finish_retire(limit); }, within{duration::max()}),
                                duration::max());
  co_return played.ok() && *played;
}

void service::stop_and_wait(stop_mode mode) { sync_wait(owner_, stop(mode)); }

void service::tick_every(duration period) {
  if (!doorway_->enter()) return;
  const auto queued = strand_->try_post([this, period] {
    if (!stopping_) {
      if (!ticker_) ticker_ = std::make_unique<ticker>(*this);
      ticker_->every(period);
    }
    came_in();
  });
  if (queued.ok()) return;
  doorway_->leave();
  owner_.log(severity::error, std::string{"service '"} + options_.name + "': tick_every: " + queued.to_string());
}

}  // namespace weft
