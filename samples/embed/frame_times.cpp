#include "embed/frame_times.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ostream>
#include <string>

namespace embed {
namespace {

constexpr auto bar = std::chrono::microseconds{200};
constexpr std::size_t bars = 15;  // the last one holds the rest

}  // namespace

double frame_times::percentile_us(double share) const {
  if (took_.empty()) return 0;
  auto sorted = took_;
  std::ranges::sort(sorted);
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  const std::chrono::duration<double, std::micro> us = sorted[std::max<std::size_t>(rank, 1) - 1];
  return us.count();
}

void frame_times::print(std::ostream& out, std::string_view title) const {
  char line[160];
  std::snprintf(line, sizeof line,
                ": %zu frames, microseconds in weft a frame: p50 %.1f, p99 %.1f, p99.9 %.1f, most %.1f\n", frames(),
                percentile_us(0.5), percentile_us(0.99), percentile_us(0.999), percentile_us(1));
  out << title << line;
  std::vector<std::size_t> counts(bars);
  for (const auto took : took_) ++counts[std::min(static_cast<std::size_t>(took / bar), bars - 1)];
  for (std::size_t i = 0; i < bars; ++i) {
    if (counts[i] == 0) continue;
    std::snprintf(line, sizeof line, "  %s%.1f ms %7zu ", i + 1 == bars ? "> " : "< ",
                  0.2 * static_cast<double>(i + 1 == bars ? i : i + 1), counts[i]);
    out << line << std::string((counts[i] * 60 + frames() - 1) / frames(), '#') << '\n';
  }
}

}  // namespace embed
