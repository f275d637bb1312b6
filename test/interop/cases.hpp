#pragma once
#include <span>
#include <weft/rpc/peer.hpp>
#include <weft/runtime/task.hpp>

#include "grpc/testing/test.weft.hpp"

namespace interop {

/// What a case calls.
struct target {
  weft::peer& peer;
  weft::rpc_runtime& runtime;
  const weft::peer_options& options;
  int soak_iterations;
};

/// A case of gRPC's interop description; its error says what was expected and what came.
struct test_case {
  const char* name;
  weft::task<weft::status> (*run)(target);
};

std::span<const test_case> test_cases() noexcept;

}  // namespace interop
