#include <weft/rpc/process_setup.hpp>

#include <absl/synchronization/mutex.h>
#include <grpc/grpc.h>

namespace weft {

void process_setup() noexcept { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

// The last reference has to be given back by the call that blocks.
void wait_until_grpc_is_down() noexcept {
  grpc_init();
  grpc_shutdown_blocking();
}

}  // namespace weft
