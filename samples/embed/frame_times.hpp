#pragma once
#include <chrono>
#include <iosfwd>
#include <string_view>
#include <vector>

namespace embed {

/// What one part of each frame took.
class frame_times {
 public:
  using duration = std::chrono::steady_clock::duration;

  void add(duration took) { took_.push_back(took); }
  std::size_t frames() const { return took_.size(); }
  /// What a share (0 to 1) of the frames did not exceed, in microseconds; 0 without frames.
  double percentile_us(double share) const;
  /// One line of percentiles, then a bar for each fifth of a millisecond.
  void print(std::ostream& out, std::string_view title) const;

 private:
  std::vector<duration> took_;
};

}  // namespace embed
