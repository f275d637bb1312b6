#include <weft/rpc/retry.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace weft {

bool retry_policy::covers(std::string_view method) const noexcept {
  if (methods == "*" || methods == method) return true;
  return methods.ends_with("/*") && method.starts_with(std::string_view{methods}.substr(0, methods.size() - 1));
}

status retry_policy::check() const {
  const auto name = "retry policy of '" + methods + "': ";
  if (attempts < 1) return invalid_argument(name + "it needs an attempt, not " + std::to_string(attempts));
  if (first_backoff < duration::zero() || most_backoff < first_backoff) {
    return invalid_argument(name + "the first wait is longer than the longest, or negative");
  }
  if (backoff_factor < 1) return invalid_argument(name + "waits that become shorter");
  if (std::ranges::find(codes, code::ok) != codes.end()) return invalid_argument(name + "OK is no error");
  return {};
}

duration retry_policy::backoff_before(int n, double random) const noexcept {
  constexpr double least = 0.8, span = 0.4;
  const double wait = static_cast<double>(first_backoff.count()) * std::pow(backoff_factor, n - 2);
  const double bounded = std::min(wait, static_cast<double>(most_backoff.count()));
  return duration{static_cast<duration::rep>(bounded * (least + span * random))};
}

}  // namespace weft
