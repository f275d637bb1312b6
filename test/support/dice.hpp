#pragma once
#include <chrono>
#include <cstdint>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/service.hpp>
#include <weft/test/random.hpp>

// What tests of races draw.

namespace test {

inline constexpr std::uint64_t seeds = 5'000;

using dice = weft::test::random;

/// `t`, or 1 ms before or after it: so that some of what is near a moment falls on it.
inline weft::duration near(dice& d, weft::duration t) {
  return t + std::chrono::milliseconds{1} * (static_cast<int>(d.below(3)) - 1);
}
/// 0 to `ms` milliseconds.
inline weft::duration up_to(dice& d, int ms) {
  return std::chrono::milliseconds{1} * static_cast<int>(d.below(static_cast<std::uint64_t>(ms) + 1));
}
inline weft::stop_mode either_mode(dice& d) { return d.one_in(2) ? weft::stop_mode::abort : weft::stop_mode::drain; }

}  // namespace test
