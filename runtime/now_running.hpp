#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <weft/runtime/clock.hpp>

namespace weft {

class strand;

/// What a worker runs at the moment: written by it, read by who looks at it from outside while it cannot answer.
///
/// The worker's side is stores that cost nothing: release, so that who finds a strand or a name here sees what it was made
/// of. The fields are read one after the other, so they belong together only where `entry`
/// was the same before and after. A strand cannot go while its name is copied: `look` and `forget` take the lock, and a
/// strand that is no longer in `strand_` cannot be found there again.
class now_running {
 public:
  struct seen {
    std::uint64_t entry = 0;  ///< Number of the entry: the same one still runs as long as it is the same.
    std::string strand;
    std::string task;  ///< Empty when the entry is no task's.
    time_point since;  ///< When the worker last looked at its clock: at most 16 entries ago.
  };

  void enter(const strand& s) noexcept { strand_.store(&s, std::memory_order_release); }
  void leave() noexcept { strand_.store(nullptr, std::memory_order_relaxed); }
  void next_entry() noexcept {
    entries_.store(entries_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    task_.store(nullptr, std::memory_order_relaxed);
  }
  /// `name` lives as long as the runtime.
  void is_task(const char* name) noexcept { task_.store(name, std::memory_order_release); }
  const char* task() const noexcept { return task_.load(std::memory_order_acquire); }
  void looked_at_clock(time_point now) noexcept {
    since_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  time_point since() const noexcept { return time_point{time_point::duration{since_.load(std::memory_order_relaxed)}}; }
  /// True while an entry runs. Any thread.
  bool any() const noexcept { return strand_.load(std::memory_order_relaxed) != nullptr; }
  std::uint64_t entries() const noexcept { return entries_.load(std::memory_order_relaxed); }

  /// Before a strand is destroyed, in whatever thread.
  void forget(const strand& s) noexcept;
  /// Any thread. Empty when no entry runs.
  std::optional<seen> look() const;

 private:
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<const strand*> strand_{nullptr};
  std::atomic<const char*> task_{nullptr};
  std::atomic<time_point::rep> since_{0};
  mutable std::mutex names_;
};

}  // namespace weft
