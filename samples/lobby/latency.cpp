#include "lobby/latency.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

namespace lobby {

void latency::record(weft::duration took) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  ++buckets_[bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)))];
  ++count_;
}

weft::duration latency::percentile(double share) const {
  const auto wanted =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= wanted) return std::chrono::microseconds{end_of(bucket)};
  }
  return {};
}

double latency::percentile_ms(double share) const {
  return std::chrono::duration<double, std::milli>(percentile(share)).count();
}

// The first octave has a bucket for each microsecond; in every further one a bucket is twice as wide.
std::size_t latency::bucket_of(std::uint64_t us) {
  constexpr auto fine_bits = std::bit_width(fine) - 1;
  if (us < fine) return us;
  const auto doublings = static_cast<std::size_t>(std::bit_width(us) - 1 - fine_bits);
  return std::min((doublings + 1) * fine + (us >> doublings) - fine, octaves * fine - 1);
}

std::uint64_t latency::end_of(std::size_t bucket) {
  if (bucket < fine) return bucket;
  const auto doublings = bucket / fine - 1;
  return ((bucket % fine + fine + 1) << doublings) - 1;
}

}  // namespace lobby
