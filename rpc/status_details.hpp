#pragma once
#include <google/protobuf/any.pb.h>

#include <optional>
#include <string>
#include <vector>
#include <weft/runtime/status.hpp>

namespace weft {

/// The error with one more detail for programs, a message of any type: `co_return weft::add_detail(std::move(s), retry_info)`.
/// Travels as gRPC's rich error model has it (a google.rpc.Status in "grpc-status-details-bin"), so any language reads it.
/// Has no effect on an ok status.
status add_detail(status error, const google::protobuf::Message& detail);

/// The details as they came; empty when there are none, or they are no google.rpc.Status.
std::vector<google::protobuf::Any> details_of(const status& error);

/// The first detail that is a T.
template <class T>
std::optional<T> find_detail(const status& error) {
  for (const auto& any : details_of(error)) {
    std::optional<T> found{std::in_place};
    if (any.Is<T>() && any.UnpackTo(&*found)) return found;
  }
  return std::nullopt;
}

}  // namespace weft
