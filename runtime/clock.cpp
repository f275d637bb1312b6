#include <weft/runtime/clock.hpp>

namespace weft {

time_point saturating_add(time_point start, duration after) noexcept {
  if (after <= duration::zero()) return start;
  return after >= never - start ? never : start + after;
}

}  // namespace weft
