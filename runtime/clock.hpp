#pragma once
#include <chrono>

namespace weft {

using duration = std::chrono::steady_clock::duration;
using time_point = std::chrono::steady_clock::time_point;

/// "No deadline".
inline constexpr time_point never = time_point::max();

/// `start + after`, or `never` where that would overflow. A negative `after` counts as zero.
time_point saturating_add(time_point start, duration after) noexcept;

/// Where time comes from. A runtime reads it once a batch; everything else asks the runtime.
class clock {
 public:
  virtual ~clock() = default;
  virtual time_point now() const noexcept = 0;
};

/// The machine's monotonic clock. Stateless; use from any thread.
class steady_clock final : public clock {
 public:
  time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
};

/// A clock that moves only when told to, for tests of a runtime without threads (`workers = 0`):
/// advance it, then `pump()`. Not thread-safe.
class manual_clock final : public clock {
 public:
  time_point now() const noexcept override { return now_; }
  void advance(duration by) noexcept { now_ += by; }

 private:
  time_point now_{std::chrono::hours{1}};
};

}  // namespace weft
