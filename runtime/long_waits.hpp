#pragma once
#include <cstddef>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft {

class context;
class worker;

/// Looks at all tasks of a worker 4 times a limit and reports those that have waited for longer, each wait once.
class long_waits final : timer {
 public:
  long_waits(worker& w, duration limit) noexcept;

 private:
  void expired() noexcept override;
  void look(const context* first, time_point now) noexcept;

  worker& worker_;
  duration limit_;
  std::size_t found_ = 0;  // in this look
};

}  // namespace weft
