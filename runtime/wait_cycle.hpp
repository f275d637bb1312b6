#pragma once
#include <stdexcept>
#include <string>
#include <weft/runtime/context.hpp>

namespace weft {

/// A task was about to wait for one that waits for it. A bug in the program; `what()` names the path.
class wait_cycle : public std::logic_error {
 public:
  explicit wait_cycle(const std::string& path) : logic_error{"weft: deadlock: " + path} {}
};

/// What `waiter` would close by waiting for `blocker`: "a waits for b waits for a", by names and strands; empty when it is no
/// cycle.
///
/// Follows tasks that wait for one thing only, on one worker: a path over a race, over a when_all, or over another worker is
/// not seen, and ends at its deadlines. On the worker of both.
std::string find_wait_cycle(const context& waiter, const context& blocker);

}  // namespace weft
