#pragma once
#include <weft/runtime/clock.hpp>
#include <weft/runtime/service_class.hpp>
#include <weft/runtime/timer_wheel.hpp>
#include <weft/runtime/work.hpp>

namespace weft {

/// Calls a service's `on_tick` from its strand, between exclusive handlers. On the service's worker.
class service::ticker final : timer, work {
 public:
  explicit ticker(service& s) noexcept : service_{s} {}

  void every(duration period) noexcept;
  void end() noexcept;
  bool active() const noexcept { return armed() || queued_; }
  bool queued() const noexcept { return queued_; }

  /// The exclusive handler that was in progress has ended.
  void go_on() noexcept {
    if (waits_) queue();
  }

 private:
  void arm_next() noexcept;
  void queue() noexcept;
  void expired() noexcept override { queue(); }
  void run() noexcept override;
  work_label label() const noexcept override { return {service_.name(), "tick"}; }

  service& service_;
  duration period_{};
  time_point last_;
  time_point due_;
  bool queued_ = false;
  bool waits_ = false;
};

}  // namespace weft
