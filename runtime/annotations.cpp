#include <weft/runtime/annotations.hpp>

namespace weft {

// acq_rel: whoever destroys it sees it as the others left it.
void annotations::release() noexcept {
  for (auto* n = std::exchange(newest_, nullptr); n != nullptr;) {
    if (n->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    auto* older = n->older;
    delete n;
    n = older;
  }
}

}  // namespace weft
