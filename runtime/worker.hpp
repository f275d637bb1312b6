#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/here.hpp>
#include <weft/runtime/inbox.hpp>
#include <weft/runtime/now_running.hpp>
#include <weft/runtime/threads.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft {

class context;
class fiber_stacks;
class run_order;
class long_runs;
class long_waits;
class runtime;
class service;
class strand;
class pump_signal;
struct pump_options;
struct pump_result;

/// Where a worker waits when it has nothing to run, and what it polls besides: a futex, or gRPC's completion queue.
class event_source {
 public:
  virtual ~event_source() = default;

  /// Handles events that are ready; when there is none, waits for one until `until` (already past: does not wait) or
  /// `wake`. May return early. Returns how many were handled. On the worker only.
  virtual std::size_t poll(time_point until) noexcept = 0;

  /// Ends a `poll` that waits, or the next one. Any thread.
  virtual void wake() noexcept = 0;

  /// For pumped workers, before the first `poll`: there will be `watch`. `ready` outlives the source; any thread may call it.
  virtual void prepare_watch(const thread_hook& /*hook*/, std::function<void()> /*ready*/) {}
  /// Calls `ready` once, as soon as `poll` has something to do. Ends with the next event that `poll` handles; until then
  /// `poll` is cheap. No effect while it watches. On the worker only.
  virtual void watch() noexcept {}

  /// Winds up: called by the worker when all tasks have ended; afterwards `poll` is not called, and a `wake` from a thread
  /// that is late has to do nothing.
  virtual void shutdown() noexcept {}
};

/// Waits on a futex; has no events of its own.
std::unique_ptr<event_source> make_futex_source();

/// Asks a worker, from another thread, to say when it has become idle, and how much it had run by then.
class idle_probe {
 public:
  void answer(std::uint64_t entries) noexcept;
  /// Blocks; empty after `patience`, then it may be called again.
  std::optional<std::uint64_t> wait(duration patience) noexcept;

 private:
  std::mutex mutex_;
  std::condition_variable answered_;
  std::optional<std::uint64_t> entries_;
};

struct worker_counters {
  std::uint64_t entries = 0;  ///< work run
  std::uint64_t sleeps = 0;   ///< times it went to wait with nothing to do
  std::uint64_t wakes = 0;    ///< times another thread had to wake it
  std::uint64_t timers = 0;   ///< timers fired
};

/// One thread's event loop: an inbox, a queue of strands with work, a timer wheel, a cached clock.
///
/// A round: take the inbox, fire timers, run strands, poll the source; it waits in the source only when nothing is
/// queued. With `runtime{.workers = 0}` there is no thread and `runtime::pump` makes the rounds.
class worker {
 public:
  worker(runtime& owner, int index, const clock& time, std::unique_ptr<event_source> source, duration spin,
         bool threaded, run_order* order = nullptr);
  ~worker();
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// The worker whose loop the calling thread is in; null on any other thread.
  static worker* current() noexcept { return on_this_thread.worker; }
  /// The strand that runs on the calling thread; null outside of strands.
  static strand* current_strand() noexcept { return on_this_thread.strand; }

  int index() const noexcept { return index_; }
  /// False when it is pumped.
  bool threaded() const noexcept { return threaded_; }
  /// It looks for events for a while before it sleeps, and mostly finds them: see `runtime_options::spin`. On the worker only.
  bool spins() const noexcept { return spin_ > duration::zero() && failed_spins_ < most_failed_spins; }
  runtime& owner() const noexcept { return owner_; }
  /// Time as of this round. On the worker only.
  time_point now() const noexcept { return now_; }
  /// Reads the clock again: for what must not be dated by the start of a long round.
  time_point read_clock() noexcept { return now_ = clock_.now(); }
  frame_pool& frames() noexcept { return *pool_; }
  /// What fibers run on. On the worker only.
  fiber_stacks& stacks() noexcept { return *stacks_; }
  timer_wheel& timers() noexcept { return timers_; }
  event_source& source() noexcept { return *source_; }
  /// On the worker only.
  worker_counters counters() const noexcept {
    auto c = counters_;
    c.entries = running_.entries();
    c.wakes = wakes_.load(std::memory_order_relaxed);
    return c;
  }
  /// Head of the list of root tasks; walk it with `context::next_sibling`. On the worker only.
  const context* roots() const noexcept { return roots_; }
  /// Strands that have something queued, in the order of their turns; see `strand::next_ready`. On the worker only.
  const strand* ready() const noexcept { return ready_head_; }
  /// What it runs, to be looked at from any thread.
  const now_running& running() const noexcept { return running_; }
  /// The task that runs from here on is called `name`. On the worker only.
  void runs_task(const char* name) noexcept { running_.is_task(name); }

  /// Before it runs, pumped: tells `s` when a pump would have something to do.
  void raise_when_woken(pump_signal& s);
  /// Before it runs: reports waits that last for longer than `limit`.
  void watch_waits(duration limit);
  /// Before it runs: `watch` wants to know when it wakes up.
  void watch_runs(long_runs& watch) noexcept { long_runs_ = &watch; }
  /// True when it has nothing to do; any thread.
  bool asleep() const noexcept { return inbox_.asleep(); }

  /// The services that live here; they join and leave from any thread.
  void join(service& s) noexcept;
  void leave(service& s) noexcept;
  /// Calls `f(service)` for each, newest first; none is destroyed meanwhile. On the worker only.
  template <class F>
  void for_each_service(F f) const;

  /// Hands work to this worker from another thread. False when it is closed.
  bool submit(work& w) noexcept;

  /// Runs rounds until `leave` was asked for; then closes inbox and source.
  void run() noexcept;

  /// `runtime::pump`.
  pump_result pump(const pump_options& options) noexcept;
  /// One round without waiting, for what blocks on a pumped runtime. Stops at `until`. Returns true when work is left.
  bool round(time_point until) noexcept;
  /// Waits until there is something to do: an event, a due timer, work from another thread. For pumps that may block.
  void rest() noexcept;

  /// The next of a sequence of numbers below 65,536 that looks random and is the same in each run, for choices that have
  /// to be fair. On the worker only.
  std::uint32_t draw() noexcept {
    drawn_ = drawn_ * 1'664'525 + 1'013'904'223;  // Knuth and Lewis; the high half is the better one
    return drawn_ >> 16;
  }

  /// The strand that runs goes to the end of the queue after this entry. On the worker only.
  void end_batch() noexcept { batch_left_ = 1; }

  /// Stops all tasks, and those that still start. On the worker only.
  void stop_tasks() noexcept;
  /// Answers `probe` as soon as nothing is queued and no task is left. On the worker only.
  void answer_when_idle(idle_probe& probe) noexcept;
  /// Makes `run` return. On the worker only, when no worker has a task left.
  void leave() noexcept { leaving_ = true; }
  bool idle() const noexcept;
  /// When the next timer is due.
  time_point next_due() noexcept { return timers_.next_due(); }
  /// Closes what a pump left open; only when nothing runs any more.
  void close() noexcept;

 private:
  friend context;
  friend strand;
  friend class runtime;

  /// Marks the calling thread as this worker while it lives.
  class enter;

  void make_round(time_point until, std::uint64_t most) noexcept;
  void accept(work* list) noexcept;
  void run_ready(time_point until, std::uint64_t most) noexcept;
  template <bool Told>
  void run_strand(strand& s) noexcept;
  void let_order_choose() noexcept;
  void push_ready(strand& s) noexcept;
  void remove_ready(strand& s) noexcept;
  struct polled {
    std::uint64_t events;
    bool more;  // it ended by the time, or the number: there may be
  };
  polled poll_events(time_point until, std::uint64_t most) noexcept;
  std::size_t queued_on_strands(std::size_t most) const noexcept;
  void wait_for_events() noexcept;
  bool spin_for_events() noexcept;
  void take_events_beside() noexcept;
  bool slice_over() noexcept;
  void report_long_run(const strand& s, duration took) noexcept;
  void look_at_clock() noexcept { running_.looked_at_clock(now_ = clock_.now()); }

  runtime& owner_;
  const int index_;
  const bool threaded_;
  const clock& clock_;
  // Beside the clock: all that a pump looks at which has nothing to do, in a cache that the game has filled meanwhile.
  pump_signal* signal_ = nullptr;
  time_point pumped_until_ = time_point::min();  // with a signal that is not raised: nothing is to be done before
  duration overrun_{};                           // by which pumps have missed their end lately
  bool events_owed_ = false;                     // the last pump left the source no turn
  const duration spin_;
  run_order* const order_;
  const duration long_run_;  // for pumped workers, which time each entry anyhow
  static constexpr unsigned most_failed_spins = 4;
  unsigned failed_spins_ = 0;  // in a row, and those that were not made
  unsigned vain_looks_ = 0;    // in a row
  time_point looked_beside_;
  time_point now_;
  time_point slice_end_;
  std::uint64_t slice_last_entry_ = 0;
  bool slice_ended_ = false;
  unsigned stride_ = 1;  // the clock is read after so many entries: a power of 2
  int batch_left_ = 0;
  std::uint32_t drawn_ = 0;
  bool running_destroyed_ = false;
  bool more_events_ = false;
  bool firing_ = false;  // timers expire: what they post is due
  strand* ready_head_ = nullptr;
  strand* ready_tail_ = nullptr;
  context* roots_ = nullptr;
  timer_wheel timers_;
  std::unique_ptr<long_waits> long_waits_;
  long_runs* long_runs_ = nullptr;
  worker_counters counters_;
  now_running running_;
  mutable std::mutex services_mutex_;
  service* services_ = nullptr;
  std::unique_ptr<event_source> source_;
  frame_pool::owner pool_;
  std::unique_ptr<fiber_stacks> stacks_;
  idle_probe* probe_ = nullptr;
  bool stopping_ = false;
  bool leaving_ = false;

  alignas(64) inbox inbox_;
  std::atomic<std::uint64_t> wakes_{0};
};

}  // namespace weft
