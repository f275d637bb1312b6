#pragma once
#include <array>
#include <concepts>
#include <cstddef>
#include <memory>
#include <weft/runtime/task.hpp>

namespace weft {

class io;
class signal_watch;

/// Signals to watch for: `{SIGINT, SIGTERM}`.
class signal_list {
 public:
  static constexpr std::size_t most = 8;

  template <std::same_as<int>... Signals>
    requires(sizeof...(Signals) > 0 && sizeof...(Signals) <= most)
  constexpr signal_list(Signals... signals) noexcept : size_{sizeof...(Signals)}, signals_{signals...} {}

  const int* begin() const noexcept { return signals_.data(); }
  const int* end() const noexcept { return signals_.data() + size_; }

 private:
  std::size_t size_;
  std::array<int, most> signals_;
};

/// A standing watch for signals of the process: `signals asked{io, {SIGINT, SIGTERM}}; … co_await asked.next()`.
///
/// From the constructor's return to the destructor none of them has its usual effect, whether somebody waits or not, and
/// also after the io has stopped; soon after the destructor they have their default effect again. What comes while nobody
/// waits is kept, in order. The kernel merges a signal with an equal one that it has not delivered; different ones that
/// come faster than the I/O thread looks are told by number. Several watches may be for the same signal: each gets it.
///
/// BAD: a watch that is made for each wait: a signal that comes between two of them ends the process.
/// GOOD: one watch, made before anybody is told that the process is there, and `next` in a loop.
class signals {
 public:
  /// Any thread.
  signals(io& where, signal_list which);
  /// Any thread. No task may wait any more.
  ~signals();
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;

  /// The number of the oldest signal that nobody has been told of; waits for one if there is none. Each signal goes to one
  /// task; those that wait get theirs in the order in which they came. From any strand; resumes there.
  /// Yields 0 when the task is stopped (it has taken no signal then), when the io has been stopped and nothing is kept, and
  /// when one of the numbers cannot be watched for: then none of them is.
  task<int> next();

 private:
  std::shared_ptr<signal_watch> watch_;
};

}  // namespace weft
