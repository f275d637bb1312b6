#pragma once

namespace weft {

/// Settings of the whole process that make gRPC faster; called by the first `rpc_runtime` unless its options say no.
///
/// Turns absl's mutex deadlock detection off (on in Debian's build, 4% of the throughput). Idempotent; any thread.
void process_setup() noexcept;

}  // namespace weft
