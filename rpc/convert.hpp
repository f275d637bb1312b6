#pragma once
#include <grpc/support/time.h>
#include <grpcpp/support/status.h>

#include <weft/runtime/clock.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

/// Codes and messages are the same; a code that gRPC does not define becomes UNKNOWN.
status from_grpc(const grpc::Status& s);
/// The same, of a call of `method`, which is named where gRPC itself only says that the deadline has passed.
status from_grpc(const grpc::Status& s, const char* method);
grpc::Status to_grpc(const status& s);

/// The runtime's clock and gRPC's monotonic one are both CLOCK_MONOTONIC. `never` is the infinite future.
gpr_timespec to_timespec(time_point t) noexcept;
time_point from_timespec(gpr_timespec t) noexcept;

}  // namespace weft
