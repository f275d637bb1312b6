#pragma once
#include <cstddef>

namespace weft {

class strand;
class work;

/// Decides what the order of work on a worker leaves open, and is told what runs: for tests that look for races, on a
/// runtime without threads (`runtime_options::order`). What is promised is not up to it: entries of one strand keep their
/// order.
class run_order {
 public:
  virtual ~run_order() = default;

  /// Which of `n` (> 0) goes next, counted from the one that would without it: strands that are ready, timers that are due.
  virtual std::size_t choose(std::size_t n) noexcept = 0;
  /// After how many entries the strand's turn ends: 1 to `most`, which it is without it.
  virtual int turn(int most) noexcept = 0;
  /// `next` is about to run on `where`.
  virtual void runs(const strand& where, const work& next) noexcept = 0;
};

}  // namespace weft
