#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <weft/runtime/clock.hpp>

namespace weft {

struct pump_options {
  /// Nothing new begins after it, nor shortly before: as much as the last thing begun took beyond it in earlier pumps, and at
  /// most a quarter of it, is kept free.
  duration budget = std::chrono::milliseconds{2};
  /// Entries of strands and events of the source (completions, for one) together; 0: as many as the budget has room for.
  std::size_t max_events = 0;
};

/// What `pump` did, and what it left.
struct pump_result {
  bool more = false;              ///< Work is left, or may be: pump again soon.
  time_point next_timer = never;  ///< Otherwise, when the next timer is due.
  std::size_t ran = 0;            ///< Entries and events, as `pump_options::max_events` counts them.
  /// Entries that wait on strands, counted up to `most_left`; what waits in the source is not known.
  std::size_t left = 0;

  static constexpr std::size_t most_left = 1'024;
};

/// How a pumped runtime tells a foreign event loop that it has something to do.
struct wake_options {
  /// Keep a file descriptor (`runtime::wake_fd`, an eventfd, close-on-exec) readable while a pump has something to do.
  /// `pump` makes it unreadable again; nobody else may read it.
  bool fd = false;
  /// Called when the descriptor would become readable: once between two pumps. On any thread, also on the pumping one and in
  /// `pump`: it must not pump, but have it done later (`asio::post`), and must not throw.
  std::function<void()> call{};

  bool any() const noexcept { return fd || call; }
};

/// An eventfd and a callback, raised from any thread, lowered by the pump. A pump that finds it lowered pays one load.
class pump_signal {
 public:
  explicit pump_signal(std::function<void()> call);
  ~pump_signal();
  pump_signal(const pump_signal&) = delete;
  pump_signal& operator=(const pump_signal&) = delete;

  int fd() const noexcept { return fd_; }
  /// Any thread.
  void raise() noexcept;
  bool raised() const noexcept { return raised_.load(std::memory_order_acquire); }
  /// The pumping thread only.
  void lower() noexcept;
  /// Blocks until it is raised, or until then.
  void wait(time_point until) const noexcept;

 private:
  const std::function<void()> call_;
  int fd_;
  std::mutex mutex_;  // for who writes: the descriptor is readable just if `raised_`
  std::atomic<bool> raised_{false};
};

}  // namespace weft
