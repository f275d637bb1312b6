#pragma once

namespace weft {

/// Settings of the whole process that make gRPC faster; called by the first `rpc_runtime` unless its options say no.
///
/// Turns absl's mutex deadlock detection off (on in Debian's build, 4% of the throughput). Idempotent; any thread.
void process_setup() noexcept;

/// Blocks until gRPC has given back its threads and file descriptors, which it does in the background once the last of its
/// objects is gone. When no `rpc_runtime` is left (otherwise it gives up after 5 s); it may be followed by another. From a thread that is no worker.
void wait_until_grpc_is_down() noexcept;

}  // namespace weft
