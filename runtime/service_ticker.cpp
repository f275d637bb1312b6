#include <weft/runtime/service_ticker.hpp>

#include <algorithm>
#include <exception>
#include <utility>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

void service::ticker::every(duration period) noexcept {
  period_ = period;
  last_ = service_.strand_->home().read_clock();
  due_ = last_;
  arm_next();
}

void service::ticker::end() noexcept {
  period_ = duration::zero();
  timer::cancel();
}

void service::ticker::arm_next() noexcept {
  if (period_ <= duration::zero()) return end();
  const auto now = service_.strand_->home().now();
  due_ += std::max<duration::rep>(1, (now - due_) / period_ + 1) * period_;
  service_.strand_->home().timers().arm(*this, due_);
}

void service::ticker::queue() noexcept {
  waits_ = false;
  if (queued_) return;
  queued_ = true;
  service_.strand_->post(*this);
}

void service::ticker::run() noexcept {
  queued_ = false;
  if (period_ <= duration::zero()) return service_.tell_progress();
  if (!service_.exclusive_.empty()) {
    waits_ = true;
    return;
  }
  const auto now = service_.strand_->home().read_clock();
  ++service_.counters_.ticks;
  try {
    service_.on_tick(now - std::exchange(last_, now));
  } catch (...) {
    ++service_.counters_.threw;
    detail::report_escaped(service_.handlers_, "on_tick", std::current_exception());
  }
  arm_next();
  service_.tell_progress();
}

}  // namespace weft
