#pragma once
#include <algorithm>
#include <ctime>
#include <vector>
#include <weft/runtime/runtime.hpp>

namespace test {

/// The median of what a pump costs that finds nothing to do: microseconds of this thread's CPU.
inline double idle_pump_us(weft::runtime& rt) {
  const auto cpu = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
  };
  std::vector<double> costs;
  for (int i = 0; i < 1'001; ++i) {
    const auto before = cpu();
    for (int n = 0; n < 10; ++n) rt.pump();
    costs.push_back((cpu() - before) / 10);
  }
  std::ranges::nth_element(costs, costs.begin() + 500);
  return costs[500];
}

}  // namespace test
