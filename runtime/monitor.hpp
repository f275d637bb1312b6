#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include <weft/runtime/clock.hpp>

namespace weft {

class runtime;
class worker;

/// What a runtime reports to its log without being asked. Zero turns a line off.
struct monitor_options {
  /// An entry that keeps its worker for longer: a handler, or a step of a task between two suspensions. Named while it still
  /// runs, and again when it has ended, by a thread of the runtime that sleeps when all workers do; one that lasts for 5/4
  /// of the limit is always seen. A pumped worker tells afterwards.
  duration long_run = std::chrono::milliseconds{100};
  /// So many calls waiting in a service's mailbox, then twice as many, and so on; anew when it has been empty.
  std::size_t mailbox = 1'024;
  /// Tasks that wait for one thing for longer, each wait once, the first `most_waits` of a look by name. The worker looks at
  /// all its tasks 4 times a limit, about 10 ns for each: so off unless it is asked for.
  duration suspended{0};

  static constexpr int most_waits = 10;
};

/// The thread that watches for long runs.
///
/// Workers write what they run without a lock or a barrier (`now_running`); this looks at them 4 times a limit. When all of
/// them sleep it sleeps too: (1) it sets `parked_` by an exchange, then looks at the workers again, and waits only if all are
/// asleep; (2) a worker that wakes is no longer asleep, then exchanges `parked_`. One exchange comes first: if the worker's,
/// then this sees it awake; if this one's, then the worker finds `parked_` set and wakes it.
class long_runs {
 public:
  long_runs(runtime& rt, std::vector<worker*> workers, duration limit);
  ~long_runs() { stop(); }
  long_runs(const long_runs&) = delete;
  long_runs& operator=(const long_runs&) = delete;

  /// A worker woke up. Any thread.
  void awake() noexcept {
    if (parked_.exchange(false, std::memory_order_acq_rel)) unpark();
  }
  /// Ends the thread. Idempotent.
  void stop() noexcept;

 private:
  struct watched {
    worker* who;
    std::uint64_t entry = 0;
    bool runs = false;
    bool reported = false;
    time_point since{};  // when the entry was first seen
    std::string strand{};
    std::string task{};
  };

  void run() noexcept;
  void look(watched& w);
  bool all_asleep() const noexcept;
  void unpark() noexcept;

  runtime& owner_;
  std::vector<watched> watched_;
  duration limit_;
  std::atomic<bool> parked_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool unparked_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

namespace detail {

struct ran {
  const char* strand;
  const char* task;  // null or empty: of no task
};
/// "'/lobby.v1.Cards/Play' on strand 'lobby.v1.Cards' ran for 134 ms".
void report_long_run(const runtime& rt, ran what, duration took, const char* how) noexcept;

}  // namespace detail
}  // namespace weft
