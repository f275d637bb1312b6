#pragma once
#include <grpc/compression.h>
#include <grpc/support/time.h>
#include <grpcpp/support/status.h>
#include <grpcpp/support/string_ref.h>

#include <map>
#include <weft/runtime/call_extras.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/status.hpp>

namespace grpc {
class ClientContext;
}

namespace weft {

/// Codes and messages are the same; a code that gRPC does not define becomes UNKNOWN.
status from_grpc(const grpc::Status& s);
/// The same, of a call of `method`, which is named where gRPC itself only says that the deadline has passed.
status from_grpc(const grpc::Status& s, const char* method);
grpc::Status to_grpc(const status& s);

/// What gRPC received.
metadata from_grpc(const std::multimap<grpc::string_ref, grpc::string_ref>& m);
grpc_compression_algorithm to_grpc(compression c) noexcept;
/// A call that is about to leave. `extras` may be null; their metadata have been checked, which gRPC would abort on.
void set_up(grpc::ClientContext& context, time_point deadline, const metadata& of_peer, const call_extras* extras);

/// The runtime's clock and gRPC's monotonic one are both CLOCK_MONOTONIC. `never` is the infinite future.
gpr_timespec to_timespec(time_point t) noexcept;
/// As gRPC's channel arguments have it; what is too long is the longest they can say, 24 days.
int to_milliseconds(duration d) noexcept;
time_point from_timespec(gpr_timespec t) noexcept;

}  // namespace weft
