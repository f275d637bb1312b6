#pragma once
#include <cstdint>
#include <string>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/run_order.hpp>
#include <weft/test/random.hpp>

namespace weft::test {

/// Draws the order of ready strands and of timers of one tick from a seed, and writes down what ran; seed 0 leaves the plain
/// order. Every second turn is cut short: races live between two entries of a strand.
class seeded_order final : public run_order {
 public:
  seeded_order(std::uint64_t seed, bool trace, const clock& time) noexcept
      : seed_{seed}, random_{seed}, trace_{trace}, time_{time}, start_{time.now()} {}

  std::size_t choose(std::size_t n) noexcept override;
  int turn(int most) noexcept override;
  void runs(const strand& where, const work& next) noexcept override;

  const std::string& trace() const noexcept { return text_; }

 private:
  std::uint64_t seed_;
  random random_;
  bool trace_;
  const clock& time_;
  time_point start_;
  std::string text_;
};

}  // namespace weft::test
