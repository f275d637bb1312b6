#pragma once
#include <cstdint>

namespace weft::test {

/// Numbers from a seed, the same on every machine and by every standard library (splitmix64: Steele, Lea and Flood, 2014).
class random {
 public:
  explicit random(std::uint64_t seed) noexcept : state_{seed} {}

  std::uint64_t next() noexcept {
    auto z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  /// Below `n` (> 0).
  std::uint64_t below(std::uint64_t n) noexcept { return next() % n; }
  /// True once in `n` (> 0) times.
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace weft::test
