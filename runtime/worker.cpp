#include <weft/runtime/worker.hpp>

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>
#include <weft/runtime/context.hpp>
#include <weft/runtime/fiber_stacks.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/long_waits.hpp>
#include <weft/runtime/pump.hpp>
#include <weft/runtime/run_order.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/strand.hpp>

namespace weft {
namespace {

// How long a worker runs strands before it looks at its timers and polls its source.
constexpr duration slice = std::chrono::microseconds{200};
// How long it takes events, if they do not end before.
constexpr duration events_slice = std::chrono::milliseconds{2};
// A look for events beside the one that was waited for costs a system call; each that it finds saves a turn of the worker,
// which is much less. After so many looks in a row that found too few, few are expected.
constexpr std::uint64_t worth_a_look = 2;
constexpr unsigned most_vain_looks = 8;
constexpr duration between_vain_looks = std::chrono::microseconds{500};
constexpr unsigned sleeps_a_spin = 32;  // see `spin_for_events`
// Reading the clock costs about 20 ns, an entry between 10 ns and 15 us (one that starts a remote call): once in so many,
// and the more often the longer they take.
constexpr unsigned clock_stride = 16;
// A manual clock ends no slice: after so many entries the inbox gets its turn in any case.
constexpr std::uint64_t most_entries = 16'384;

}  // namespace

class worker::enter {
 public:
  explicit enter(worker& w) noexcept : outer_{std::exchange(on_this_thread, {&w, nullptr, w.pool_.get()})} {}
  ~enter() { on_this_thread = outer_; }
  enter(const enter&) = delete;

 private:
  here_state outer_;
};

worker::worker(runtime& owner, int index, const clock& time, std::unique_ptr<event_source> source, duration spin,
               bool threaded, run_order* order)
    : owner_{owner},
      index_{index},
      threaded_{threaded},
      clock_{time},
      spin_{spin},
      order_{order},
      long_run_{owner.monitor().long_run > duration::zero() ? owner.monitor().long_run : duration::max()},
      now_{time.now()},
      drawn_{order != nullptr ? static_cast<std::uint32_t>(order->choose(std::size_t{1} << 32U)) : 0},
      timers_{now_, order},
      source_{std::move(source)},
      pool_{frame_pool::make()},
      stacks_{std::make_unique<fiber_stacks>(owner.fiber_stack())} {}

worker::~worker() = default;

bool worker::submit(work& w) noexcept {
  switch (inbox_.push(w)) {
    case inbox::pushed::queued: return true;
    case inbox::pushed::must_wake:
      wakes_.fetch_add(1, std::memory_order_relaxed);
      if (signal_ != nullptr) {
        signal_->raise();
      } else {
        source_->wake();
      }
      return true;
    case inbox::pushed::refused: break;
  }
  return false;
}

void worker::push_ready(strand& s) noexcept {
  s.ready_ = true;
  s.next_ready_ = nullptr;
  if (ready_head_ == nullptr) {
    ready_head_ = &s;
  } else {
    ready_tail_->next_ready_ = &s;
  }
  ready_tail_ = &s;
}

void worker::remove_ready(strand& s) noexcept {
  strand* before = nullptr;
  for (auto* at = ready_head_; at != nullptr; before = at, at = at->next_ready_) {
    if (at != &s) continue;
    (before != nullptr ? before->next_ready_ : ready_head_) = s.next_ready_;
    if (ready_tail_ == &s) ready_tail_ = before;
    break;
  }
  if (on_this_thread.strand == &s) running_destroyed_ = true;
}

void worker::raise_when_woken(pump_signal& s) {
  signal_ = &s;
  source_->prepare_watch(owner_.thread_start(), [&s] { s.raise(); });
  s.raise();  // it is awake until the first pump
}

void worker::watch_waits(duration limit) { long_waits_ = std::make_unique<long_waits>(*this, limit); }

void worker::report_long_run(const strand& s, duration took) noexcept {
  detail::report_long_run(owner_, {.strand = s.name(), .task = running_.task()}, took, " ran for ");
}

void worker::join(service& s) noexcept {
  std::lock_guard lock{services_mutex_};
  s.next_here_ = services_;
  if (services_ != nullptr) services_->previous_here_ = &s;
  services_ = &s;
}

void worker::leave(service& s) noexcept {
  std::lock_guard lock{services_mutex_};
  (s.previous_here_ != nullptr ? s.previous_here_->next_here_ : services_) = s.next_here_;
  if (s.next_here_ != nullptr) s.next_here_->previous_here_ = s.previous_here_;
}

void worker::accept(work* list) noexcept {
  while (list != nullptr) {
    auto& w = *list;
    list = w.next;
    if (w.target != nullptr) {
      w.target->enqueue(w);
    } else {
      w.run();
    }
  }
}

// Told: the order is told of each entry. A loop of its own, so that without one no entry pays for it.
template <bool Told>
void worker::run_strand(strand& s) noexcept {
  on_this_thread.strand = &s;
  running_.enter(s);
  running_destroyed_ = false;
  batch_left_ = Told ? order_->turn(strand::batch) : strand::batch;
  for (; batch_left_ > 0 && !s.empty(); --batch_left_) {
    auto& w = s.pop();
    if constexpr (Told) order_->runs(s, w);
    if (w.counted) {
      w.counted = false;
      --s.messages_;
    }
    running_.next_entry();
    w.run();
    if (running_destroyed_) {  // by the last thing it ran
      on_this_thread.strand = nullptr;
      return;
    }
    if (slice_over()) break;
  }
  on_this_thread.strand = nullptr;
  running_.leave();
  s.ready_ = false;
  if (!s.empty()) push_ready(s);
}

bool worker::slice_over() noexcept {
  if (threaded_ && (running_.entries() & (stride_ - 1)) != 0) return false;  // a pump keeps to its budget
  const auto before = running_.since();
  look_at_clock();
  if (now_ - before > slice / 2) {
    if (stride_ > 1) stride_ /= 2;
  } else if (stride_ < clock_stride && now_ - before < slice / 8) {
    stride_ *= 2;
  }
  if (!threaded_ && now_ - before >= long_run_) report_long_run(*on_this_thread.strand, now_ - before);
  if (now_ < slice_end_ && running_.entries() < slice_last_entry_) return false;
  slice_ended_ = true;
  return true;
}

void worker::run_ready(time_point until, std::uint64_t most) noexcept {
  slice_end_ = until;
  slice_last_entry_ = running_.entries() + most;
  slice_ended_ = false;
  while (ready_head_ != nullptr && !slice_ended_) {
    if (order_ != nullptr) let_order_choose();
    auto& s = *ready_head_;
    ready_head_ = s.next_ready_;
    order_ == nullptr ? run_strand<false>(s) : run_strand<true>(s);
  }
}

// Brings the chosen strand to the front.
void worker::let_order_choose() noexcept {
  std::size_t ready = 0;
  for (auto* s = ready_head_; s != nullptr; s = s->next_ready_) ++ready;
  auto ahead = order_->choose(ready);
  if (ahead == 0) return;
  auto* before = ready_head_;
  while (--ahead != 0) before = before->next_ready_;
  auto* chosen = before->next_ready_;
  before->next_ready_ = chosen->next_ready_;
  if (ready_tail_ == chosen) ready_tail_ = before;
  chosen->next_ready_ = ready_head_;
  ready_head_ = chosen;
}

void worker::make_round(time_point until, std::uint64_t most) noexcept {
  look_at_clock();
  accept(inbox_.take_all());
  firing_ = true;
  counters_.timers += timers_.advance(now_);
  firing_ = false;
  run_ready(until, most);
  if (probe_ != nullptr && idle()) std::exchange(probe_, nullptr)->answer(running_.entries());
}

bool worker::round(time_point until) noexcept {
  enter inside{*this};
  make_round(until, most_entries);
  const bool more_events = poll_events(until, most_entries).more;
  if (signal_ != nullptr) signal_->raise();  // it is awake now: only a pump puts it to sleep
  return more_events || ready_head_ != nullptr || !inbox_.empty();
}

// Turns of a slice each, and of half of the events that are left, so that strands which always have work leave some of each
// pump to the source's events, and the reverse; when one event is all that is allowed, every other one is the source's.
//
// What one entry, or one look at the source, takes is known only afterwards: the last of them runs past the end, so the end is
// set earlier by as much as that was lately, though by no more than a quarter.
//
// With a signal, nothing is missed between pumps: (1) the signal is lowered first, so what comes later raises it again;
// (2) a pump that leaves nothing puts the inbox to sleep, whose next push then raises the signal, and has the source watch;
// (3) if something came before that, or work is left, the signal is raised here. So while it is lowered only a timer makes
// work, and a pump before that is a look at the clock.
pump_result worker::pump(const pump_options& options) noexcept {
  auto now = clock_.now();
  if (signal_ != nullptr && now < pumped_until_ && !signal_->raised()) return {.next_timer = pumped_until_};
  enter inside{*this};
  if (signal_ != nullptr) {
    signal_->lower();
    inbox_.awake();
  }
  const auto most = options.max_events != 0 ? options.max_events : std::numeric_limits<std::uint64_t>::max();
  const auto first_entry = running_.entries();
  std::uint64_t events = 0;
  const auto left = [&] { return most - std::min(most, running_.entries() - first_entry + events); };
  const auto most_kept = std::max(options.budget, duration::zero()) / 4;
  const auto kept = std::min(overrun_, most_kept);
  const auto until = saturating_add(now, options.budget - kept);
  const auto half_of_left = [&] { return std::min(left() - left() / 2, most_entries); };
  bool more = true;
  if (events_owed_) events += poll_events(std::min(until, now + slice), half_of_left()).events;
  while (true) {
    const auto before = now;
    make_round(std::min(until, before + slice), half_of_left());
    events_owed_ = left() == 0;
    const auto got = events_owed_ ? polled{0, true} : poll_events(std::min(until, clock_.now() + slice), left());
    events += got.events;
    more = got.more || ready_head_ != nullptr || !inbox_.empty();
    now = clock_.now();
    if (!more || now >= until || left() == 0) break;
    if (now == before) break;  // a clock that stands still uses up no budget
  }
  overrun_ = std::max(std::min(now - until, most_kept), kept - kept / 32);
  if (signal_ != nullptr) {
    if (!more) {
      more = !inbox_.try_sleep();
      if (!more) source_->watch();
    }
    if (more) signal_->raise();
  }
  pumped_until_ = next_due();
  return {.more = more,
          .next_timer = pumped_until_,
          .ran = static_cast<std::size_t>(most - left()),
          .left = more ? queued_on_strands(pump_result::most_left) : 0};
}

std::size_t worker::queued_on_strands(std::size_t most) const noexcept {
  std::size_t n = 0;
  for (const auto* s = ready_head_; s != nullptr && n < most; s = s->next_ready_) n += s->queued(most - n);
  return n;
}

// gRPC reads its sockets only once its queue of events is empty. So as long a turn as the strands had: with one event a
// round the queue would grow with every reply they send, and the sockets' backlog be parsed in one go in the end.
worker::polled worker::poll_events(time_point until, std::uint64_t most) noexcept {
  std::uint64_t events = 0;
  while (events < most) {
    if (source_->poll(time_point::min()) == 0) return {events, false};
    ++events;
    if ((events % clock_stride == 0 || !threaded_) && clock_.now() >= until) break;
  }
  return {events, true};
}

void worker::rest() noexcept {
  if (signal_ != nullptr) return signal_->wait(timers_.next_due());
  enter inside{*this};
  wait_for_events();
}

void worker::wait_for_events() noexcept {
  if (ready_head_ != nullptr || !inbox_.empty()) {
    more_events_ = poll_events(clock_.now() + events_slice, most_entries).more;
    return;
  }
  if (spin_ > duration::zero() && spin_for_events()) return;
  const auto until = timers_.next_due();
  if (!inbox_.try_sleep()) return;
  ++counters_.sleeps;
  const auto events = source_->poll(until);
  inbox_.awake();
  if (long_runs_ != nullptr) long_runs_->awake();
  if (events != 0) take_events_beside();
}

// An event that was waited for may not have come alone. Where one call is out at a time nothing else is ever found, or the
// second tag of the call: after looks in vain the next is made only when that was long ago, since gRPC may read no socket
// between two looks.
void worker::take_events_beside() noexcept {
  if (vain_looks_ >= most_vain_looks && now_ - looked_beside_ < between_vain_looks) return;
  looked_beside_ = now_;
  const auto beside = poll_events(clock_.now() + events_slice, most_entries);
  more_events_ = beside.more;
  vain_looks_ = beside.events >= worth_a_look ? 0 : vain_looks_ + 1;
}

// Spinning pays only where the next event is near. After a few failures in a row one sleep in so many tries, so that a worker
// whose load comes back finds out. One late event is no reason: those behind it would be late as well, and wake the worker.
// What is there at once, as the end of a write often is, says nothing of the next event.
bool worker::spin_for_events() noexcept {
  if (!spins() && ++failed_spins_ % sleeps_a_spin != 0) return false;
  const auto until = std::min(clock_.now() + spin_, timers_.next_due());
  bool waited = false;
  do {
    if (source_->poll(time_point::min()) != 0 || !inbox_.empty()) {
      if (waited) failed_spins_ = 0;
      take_events_beside();
      return true;
    }
    waited = true;
  } while (clock_.now() < until);
  ++failed_spins_;
  return false;
}

void worker::run() noexcept {
  {
    enter inside{*this};
    while (!leaving_) {
      // What events bring has to be run too: after a full turn of theirs the strands get one as long.
      make_round(clock_.now() + (std::exchange(more_events_, false) ? events_slice : slice), most_entries);
      if (!leaving_) wait_for_events();
    }
  }
  close();
}

bool worker::idle() const noexcept { return roots_ == nullptr && ready_head_ == nullptr && inbox_.empty(); }

void worker::stop_tasks() noexcept {
  stopping_ = true;
  for (auto* root = roots_; root != nullptr; root = root->next_) root->stop();
}

void worker::answer_when_idle(idle_probe& probe) noexcept {
  assert(probe_ == nullptr);
  probe_ = &probe;
}

void worker::close() noexcept {
  enter inside{*this};
  source_->shutdown();
  do {
    make_round(never, most_entries);
  } while (ready_head_ != nullptr || !inbox_.empty() || timers_.drop_all() != 0);
  accept(inbox_.close());
  while (ready_head_ != nullptr) run_ready(never, most_entries);
}

void idle_probe::answer(std::uint64_t entries) noexcept {
  // Under the lock: the waiter may destroy the probe as soon as it can have the lock back.
  std::lock_guard lock{mutex_};
  entries_ = entries;
  answered_.notify_one();
}

std::optional<std::uint64_t> idle_probe::wait(duration patience) noexcept {
  std::unique_lock lock{mutex_};
  answered_.wait_for(lock, patience, [this] { return entries_.has_value(); });
  return std::exchange(entries_, std::nullopt);
}

}  // namespace weft
