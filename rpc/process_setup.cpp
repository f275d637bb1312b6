#include <weft/rpc/process_setup.hpp>

#include <absl/synchronization/mutex.h>

namespace weft {

void process_setup() noexcept { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace weft
