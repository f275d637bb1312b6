#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>
#include <weft/bench/rpc/measure.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/clock.hpp>

namespace weft::bench {

/// Typed calls as a user of weft writes them, with deadline and cancellation on.
struct weft_setup {
  /// False: gRPC's own channel arguments and process settings, to compare the wrapper alone.
  bool weft_defaults = true;
  duration spin{0};
  duration delay{0};  ///< The server's, before it answers.
  std::vector<retry_policy> retries = {};
  bool grpc_retries = false;  ///< gRPC's own, which weft turns off; with gRPC's settings they are on.
  bool session = false;       ///< Over a session, each caller's calls with one of 64 keys, instead of unary.
};

/// Listens on a free port until the parent lets go.
void serve_weft(parent_link& parent, const weft_setup& setup);

/// Keeps `outstanding` coroutines calling.
run_result call_weft(const std::string& target, int outstanding, std::size_t payload, duration deadline,
                     const load& load, const weft_setup& setup);

}  // namespace weft::bench
