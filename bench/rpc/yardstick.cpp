#include <weft/bench/rpc/yardstick.hpp>

#include <iomanip>
#include <sstream>

namespace weft::bench {

std::string why_void(const yardstick& y, const std::vector<row>& rows) {
  const row* measured = nullptr;
  const row* base = nullptr;
  for (const auto& r : rows) {
    if (r.concurrency != y.concurrency) continue;
    if (r.name == y.row) measured = &r;
    if (r.name == y.of) base = &r;
  }
  if (measured == nullptr || base == nullptr) return {};
  std::ostringstream why;
  why << y.row << " must itself reach " << y.at_least << " times " << y.of << " with " << y.concurrency << " calls out";
  if (measured->error || base->error) {
    why << ", and there is no figure";
    return std::move(why).str();
  }
  const auto reached = measured->calls_per_second.median / base->calls_per_second.median;
  if (reached >= y.at_least) return {};
  why << ", and reached " << std::fixed << std::setprecision(2) << reached;
  return std::move(why).str();
}

}  // namespace weft::bench
