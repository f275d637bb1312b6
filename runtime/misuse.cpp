#include <weft/runtime/misuse.hpp>

#include <cstdio>
#include <cstdlib>

namespace weft {

void misuse(std::string_view what_and_remedy) noexcept {
  std::fprintf(stderr, "weft: misuse: %.*s\n", static_cast<int>(what_and_remedy.size()), what_and_remedy.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace weft
