#pragma once
#include <weft/runtime/runtime.hpp>

namespace embed {

/// Pumps a runtime (`workers = 0`, `wake.fd = true`) from a loop around epoll_wait:
///
///     const int n = epoll_wait(epoll, events, most, pump.timeout_ms());
///     for (... events ...) if (event.data.ptr != &pump) the_programs_own(event);
///     pump.run();
class epoll_pump {
 public:
  /// Adds the runtime's descriptor to `epoll`, with this object's address as `data.ptr`.
  epoll_pump(int epoll, weft::runtime& rt, weft::duration budget = std::chrono::milliseconds{2});
  ~epoll_pump();
  epoll_pump(const epoll_pump&) = delete;
  epoll_pump& operator=(const epoll_pump&) = delete;

  /// How long epoll_wait may wait for the runtime's sake: until its next timer, rounded up; -1: for ever.
  int timeout_ms() const;
  /// Every time that epoll_wait has returned: a pump with nothing to do costs nothing to speak of.
  void run() { next_timer_ = rt_.pump(budget_).next_timer; }

 private:
  weft::runtime& rt_;
  const weft::duration budget_;
  const int epoll_;
  weft::time_point next_timer_ = weft::never;
};

}  // namespace embed
