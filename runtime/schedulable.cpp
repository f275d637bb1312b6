#include <weft/runtime/schedulable.hpp>

#include <algorithm>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/strand.hpp>

namespace weft {

void ready_signal::raise() const noexcept {
  if (const auto q = queue_.lock(); q && q->owner != nullptr) q->owner->list(q);
}

fair_scheduler::~fair_scheduler() {
  if (runner_ != nullptr) misuse("a fair_scheduler was destroyed while it runs: stop the task that awaits run() first");
  if (joined_ != 0) misuse("a fair_scheduler was destroyed with queues in it: destroy their seats first");
}

fair_scheduler::member fair_scheduler::add(detail::scheduled_queue q) {
  if (q.weight == 0) misuse("a queue joined a fair_scheduler with weight 0: it would never get a turn");
  ++joined_;
  return std::make_shared<detail::scheduled_queue>(q);
}

void fair_scheduler::seat::leave() noexcept {
  if (const auto m = std::move(member_)) m->owner->remove(*m);
}

void fair_scheduler::remove(detail::scheduled_queue& q) noexcept {
  --joined_;
  q.owner = nullptr;
  q.listed = false;
  std::erase_if(ready_, [&q](const member& m) { return m.get() == &q; });
}

void fair_scheduler::list(const member& m) noexcept {
  if (std::exchange(m->listed, true)) return;
  m->turns_left = m->weight;
  ready_.push_back(m);
  queue_turn();
}

void fair_scheduler::queue_turn() noexcept {
  if (runner_ == nullptr || turn_queued_ || ready_.empty()) return;
  turn_queued_ = runner_->ctx()->home().post(turn_);
}

// A queue takes its turns one after the other and then goes behind those that are ready; whoever becomes ready goes behind
// them all. So between two runs of a queue's turns every other queue gets at most its own weight.
void fair_scheduler::take_turn() noexcept {
  turn_queued_ = false;
  if (runner_->stopping_) return std::exchange(runner_, nullptr)->finish();
  drop_idle();
  if (ready_.empty()) return;
  const auto m = ready_.front();  // keeps it if the queue leaves
  m->run_one(m->queue);
  if (m->listed && --m->turns_left == 0) {
    m->turns_left = m->weight;
    ready_.pop_front();
    ready_.push_back(m);
  }
  drop_idle();
  queue_turn();
}

void fair_scheduler::drop_idle() noexcept {
  while (!ready_.empty() && !ready_.front()->ready(ready_.front()->queue)) {
    ready_.front()->listed = false;
    ready_.pop_front();
  }
}

bool fair_scheduler::running::begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  if (scheduler_.runner_ != nullptr)
    misuse("fair_scheduler::run was called twice at a time: it gives turns on one strand");
  if (ctx.stopped()) return false;
  suspend(h, ctx, where);
  scheduler_.runner_ = this;
  scheduler_.queue_turn();
  return true;
}

// The turn that is queued refers to the scheduler, so it comes first.
void fair_scheduler::running::on_stop() noexcept {
  stopping_ = true;
  if (scheduler_.turn_queued_) return;
  scheduler_.runner_ = nullptr;
  finish();
}

}  // namespace weft
