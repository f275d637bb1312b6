#include <weft/runtime/wait_cycle.hpp>

#include <weft/runtime/strand.hpp>

namespace weft {
namespace {

constexpr int longest_path = 64;

bool is_above(const context& candidate, const context& task) noexcept {
  for (const auto* c = &task; c != nullptr; c = c->parent()) {
    if (c == &candidate) return true;
  }
  return false;
}

// The task that has to go on before `c` can; null when there is none, or several might do.
const context* blocker_of(const context& c) noexcept {
  for (const auto* at = &c;;) {
    if (const auto* w = at->waiting(); w != nullptr) {
      if (const auto* next = w->blocked_by()) return next;
    }
    at = at->first_child();
    if (at == nullptr || at->next_sibling() != nullptr) return nullptr;
  }
}

std::string name_of(const context& c) { return std::string{c.name()} + " on " + c.home().name(); }

}  // namespace

std::string find_wait_cycle(const context& waiter, const context& blocker) {
  const auto* at = &blocker;
  for (int steps = 0; at != nullptr && steps < longest_path; ++steps, at = blocker_of(*at)) {
    if (!is_above(*at, waiter)) continue;
    auto path = name_of(*at);
    for (const auto* step = &blocker; step != at; step = blocker_of(*step)) path += " waits for " + name_of(*step);
    return path + " waits for " + name_of(*at);
  }
  return {};
}

}  // namespace weft
