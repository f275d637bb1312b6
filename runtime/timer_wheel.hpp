#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <weft/runtime/clock.hpp>

namespace weft {

class run_order;
class timer_wheel;

/// A place in one of the wheel's lists; alone it points at itself.
struct timer_link {
  timer_link* next = this;
  timer_link* previous = this;

  timer_link() = default;
  timer_link(const timer_link&) = delete;
  timer_link& operator=(const timer_link&) = delete;

  bool linked() const noexcept { return next != this; }
  void unlink() noexcept {
    previous->next = next;
    next->previous = previous;
    next = previous = this;
  }
  void insert_before(timer_link& position) noexcept {
    next = &position;
    previous = position.previous;
    previous->next = this;
    position.previous = this;
  }
};

/// Something that happens at a time, embedded in what it belongs to. Disarms itself when destroyed.
class timer : private timer_link {
 public:
  bool armed() const noexcept { return linked(); }
  /// No effect when not armed. O(1).
  void cancel() noexcept { unlink(); }

 protected:
  timer() = default;
  ~timer() { unlink(); }

 private:
  friend timer_wheel;
  /// Called once, disarmed, by `timer_wheel::advance`; may arm and cancel timers, this one too.
  virtual void expired() noexcept = 0;
  /// Called instead, disarmed, when the worker ends before that: for what nobody else would end.
  virtual void dropped() noexcept {}

  std::uint64_t tick_ = 0;
};

/// Timers of one worker: hashed hierarchical wheel of 1 ms ticks, six levels of 64 slots (Varghese and Lauck, 1987).
///
/// A timer never fires early and at most one tick late, plus the time until `advance` is called.
/// Arming only links the timer into a list of fresh ones: most are cancelled before the batch ends and never reach the
/// wheel. Arm and cancel are O(1). Not thread-safe: it belongs to its worker.
class timer_wheel {
 public:
  static constexpr duration tick = std::chrono::milliseconds{1};
  /// Later than this is treated as this (about one year): the timer then fires early, which no caller can live to see.
  static constexpr std::uint64_t horizon = std::uint64_t{1} << 35;

  /// With an `order`, which must outlive the wheel, it decides among equal ticks.
  explicit timer_wheel(time_point origin, run_order* order = nullptr) noexcept : origin_{origin}, order_{order} {}

  /// Arms, or re-arms, `t` for `due`. A time in the past fires at the next tick.
  void arm(timer& t, time_point due) noexcept;

  /// Fires everything due at `now`, in order of ticks; equal ticks in the order of arming. Returns how many fired.
  std::size_t advance(time_point now) noexcept;

  /// Drops everything that is armed, and what is armed meanwhile. Returns how many were dropped.
  std::size_t drop_all() noexcept;

  /// When `advance` has something to do next; `never` when nothing is armed. May be early, never late.
  time_point next_due() noexcept;

 private:
  static constexpr unsigned bits = 6;
  static constexpr unsigned slots = 1U << bits;
  static constexpr unsigned levels = 6;

  struct expiry {
    unsigned level;
    unsigned slot;
    std::uint64_t tick;
  };

  std::uint64_t tick_at_or_after(time_point t) const noexcept;
  void settle_fresh() noexcept;
  static std::size_t drop_all(timer_link& list) noexcept;
  void place(timer& t) noexcept;
  bool next_expiry(expiry& out) noexcept;
  void let_order_choose(timer_link& due) noexcept;

  time_point origin_;
  run_order* order_;
  std::uint64_t now_ = 0;  // the tick up to which everything has fired
  timer_link fresh_;
  std::array<std::uint64_t, levels> occupied_{};  // a superset: a cancelled timer leaves its bit until it is looked at
  std::array<std::array<timer_link, slots>, levels> wheel_;
};

}  // namespace weft
