#pragma once
#include <cstddef>

namespace lobby {

/// How much of one kind of work a service takes on: what comes on top of it is refused at once, with RESOURCE_EXHAUSTED.
struct load {
  std::size_t running = 4'096;
  std::size_t waiting = 4'096;
};

}  // namespace lobby
