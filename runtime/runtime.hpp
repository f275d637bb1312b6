#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <thread>
#include <vector>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/log.hpp>
#include <weft/runtime/monitor.hpp>
#include <weft/runtime/pump.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/threads.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

struct runtime_options {
  /// Threads. 0: none, the program calls `pump`.
  int workers = 1;
  /// Null: the machine's monotonic clock. Must outlive the runtime.
  const clock* time = nullptr;
  /// How long a worker looks for events before it sleeps. Costs CPU, saves the wake-up (about 40 us); adaptive.
  duration spin{0};
  /// Where the library reports what it cannot return (exceptions in handlers, tasks that do not end, what the monitor sees)
  /// and what programs log. Called on any thread, on several at a time: see `log_sink`. Null: stderr.
  log_sink log{};
  /// What is reported without being asked for.
  monitor_options monitor{};
  /// For tests, with `workers = 0`. Must outlive the runtime.
  run_order* order = nullptr;
  /// With `workers = 0`, for a foreign event loop that has to be told when to pump. An rpc_runtime then starts one thread,
  /// which waits for gRPC, whose queue has no descriptor; without it no thread of weft's is started.
  wake_options wake{};
  /// Called on every thread that the runtime, or a server of it, starts.
  thread_hook thread_start{};
  /// Bytes of a fiber's stack: see `weft::fiber`.
  std::size_t fiber_stack = std::size_t{256} << 10;
};

/// The way in for roots from threads that are no workers; closed when the runtime stops.
///
/// Nobody comes in after `close`: (1) who comes counts itself in, then looks at `closed_`; (2) `close` sets that, then waits
/// for the count to be zero. All sequentially consistent, so either the newcomer sees `closed_`, or `close` sees it counted
/// and waits until its root is in the worker's inbox, before the runtime asks whether the workers are idle.
class newcomers {
 public:
  /// False when closed. Otherwise `leave` follows, once the root was submitted.
  bool enter() noexcept {
    inside_.fetch_add(1);
    if (!closed_.load()) return true;
    leave();
    return false;
  }
  void leave() noexcept {
    inside_.fetch_sub(1);
    inside_.notify_all();
  }
  void close() noexcept {
    closed_.store(true);
    for (auto n = inside_.load(); n != 0; n = inside_.load()) inside_.wait(n);
  }

 private:
  std::atomic<int> inside_{0};
  std::atomic<bool> closed_{false};
};

/// The workers and their clock; everything else is made from one. Any number of them may exist, one after the other or
/// side by side; destroying one stops every task and waits for its end.
class runtime {
 public:
  /// Starts the threads. `first_source` is what worker 0 waits in (gRPC's queue, for one); null: a futex.
  explicit runtime(runtime_options options = {}, std::unique_ptr<event_source> first_source = nullptr);
  virtual ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Stops all tasks, waits until they have ended, ends the threads. Not on a worker. Idempotent.
  /// A task that does not end within 5 s is reported to the log; the wait goes on.
  virtual void stop() noexcept;

  /// Makes rounds of worker 0 on this thread (one, while the clock stands still) until the budget is used up or nothing is
  /// left to do; never blocks. What is left is for the next pump, in order; strands and events take turns.
  /// Only with `workers = 0`; always on the same thread. Overruns the budget by at most one entry of a strand, or one event.
  pump_result pump(const pump_options& options) noexcept;
  pump_result pump(duration budget = std::chrono::milliseconds{2}) noexcept { return pump({.budget = budget}); }

  /// The descriptor of `wake_options::fd`. It stays the runtime's, for which it lives. Misuse without that option.
  int wake_fd() const noexcept;

  /// Index 0 polls I/O. With `workers = 0` there is worker 0, the pumped one. An index out of range is a misuse.
  worker& worker_at(int index);
  int workers() const noexcept { return static_cast<int>(threads_.size()); }

  /// A strand of worker 0 that belongs to the runtime itself.
  strand& control() noexcept { return *control_; }
  const clock& time() const noexcept { return *clock_; }
  /// One line for the log, on behalf of no task. Any thread.
  void log(severity level, std::string_view text, std::span<const log_field> fields = {}) const noexcept;
  const monitor_options& monitor() const noexcept { return options_.monitor; }
  const thread_hook& thread_start() const noexcept { return options_.thread_start; }
  std::size_t fiber_stack() const noexcept { return options_.fiber_stack; }
  weft::newcomers& newcomers() noexcept { return newcomers_; }

 private:
  void wait_until_idle() noexcept;
  void log_still_busy(const worker& w) const noexcept;

  runtime_options options_;
  steady_clock steady_;
  const clock* clock_;
  std::unique_ptr<pump_signal> signal_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::unique_ptr<strand> control_;
  std::vector<std::thread> threads_;
  std::unique_ptr<long_runs> long_runs_;
  weft::newcomers newcomers_;
  bool stopped_ = false;
};

}  // namespace weft
