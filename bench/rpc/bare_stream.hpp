#pragma once
#include <weft/bench/rpc/contest.hpp>

namespace weft::bench {

/// One bidirectional stream by hand on gRPC's completion queue, a message for each call.
extern const contestant bare_stream;
/// The same with as many calls in a message as there are when the one before it is written: a number, a length and the
/// bytes of each. No methods, deadlines, cancellation, order, windows, errors: what batching alone gives, and the limit
/// that a session is measured by.
extern const contestant bare_batched_stream;

}  // namespace weft::bench
