#include <weft/runtime/now_running.hpp>

#include <weft/runtime/strand.hpp>

namespace weft {

void now_running::forget(const strand& s) noexcept {
  std::lock_guard lock{names_};
  if (strand_.load(std::memory_order_relaxed) == &s) leave();
}

std::optional<now_running::seen> now_running::look() const {
  std::lock_guard lock{names_};
  const auto* s = strand_.load(std::memory_order_acquire);
  if (s == nullptr) return std::nullopt;
  const char* name = task();
  return seen{.entry = entries(), .strand = s->name(), .task = name != nullptr ? name : "", .since = since()};
}

}  // namespace weft
