#include <weft/runtime/limit.hpp>

#include <string>

namespace weft {

status limit::admit() noexcept {
  if ((slots_.free() != 0 && slots_.waiting() == 0) || slots_.waiting() < waiting_room_) return {};
  ++refused_;
  return resource_exhausted(std::to_string(running()) + " run and " + std::to_string(waiting()) +
                            " wait, which is the limit");
}

}  // namespace weft
