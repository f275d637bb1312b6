#pragma once
#include <weft/bench/rpc/contest.hpp>

namespace weft::bench {

/// Unary calls by hand on gRPC's completion queue, with gRPC's settings.
extern const contestant raw_queue;
/// The same with the settings that weft makes by default.
extern const contestant tuned_raw_queue;

}  // namespace weft::bench
