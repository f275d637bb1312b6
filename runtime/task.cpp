#include <weft/runtime/task.hpp>

#include <weft/runtime/misuse.hpp>

namespace weft {

void dropped_task_misuse() noexcept {
  misuse("a task was dropped without having run: co_await it, start it in a scope, or discard() it");
}

}  // namespace weft
