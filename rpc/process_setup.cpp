#include <weft/rpc/process_setup.hpp>

#include <absl/synchronization/mutex.h>
#include <grpc/grpc.h>

#include <chrono>
#include <thread>

namespace weft {

void process_setup() noexcept { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

// The call that blocks has to give back the last reference; gRPC's own threads may still hold one for a moment.
void wait_until_grpc_is_down() noexcept {
  constexpr int most_attempts = 500;
  for (int i = 0; i < most_attempts; ++i) {
    grpc_init();
    grpc_shutdown_blocking();
    if (grpc_is_initialized() == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
}

}  // namespace weft
