#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <weft/runtime/clock.hpp>

namespace lobby {

/// How long things took, in bounded memory: a histogram whose buckets grow with the value (as HdrHistogram's do). Exact to
/// 1 us below `fine` microseconds, above that to one part in `fine`.
class latency {
 public:
  static constexpr std::uint64_t fine = 128;

  void record(weft::duration took);

  /// The time that a share (0 to 1) of the records did not exceed, rounded up to the end of its bucket; 0 when there are none.
  weft::duration percentile(double share) const;
  double percentile_ms(double share) const;
  std::uint64_t count() const { return count_; }

 private:
  static constexpr std::size_t octaves = 32;  // up to 2^38 us, three days; what is longer counts as that

  static std::size_t bucket_of(std::uint64_t us);
  static std::uint64_t end_of(std::size_t bucket);

  std::array<std::uint64_t, octaves * fine> buckets_{};
  std::uint64_t count_ = 0;
};

}  // namespace lobby
