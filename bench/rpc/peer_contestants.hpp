#pragma once
#include <weft/bench/rpc/contest.hpp>

// gRPC's other ways to call, each as its own users would write it well.

namespace weft::bench {

/// Callback service with its default reactor, and the callback stub.
extern const contestant callback_api;
/// Synchronous service and stub, a thread for each call that is out.
extern const contestant sync_threads;
/// The same with 16 threads that take calls from a queue.
extern const contestant sync_pool;

/// grpc-go: a goroutine for each call, on both sides.
extern const contestant go_unary;
/// The server with NumStreamWorkers(8).
extern const contestant go_stream_workers;
/// asio-grpc's coroutines on one thread, where it is installed.
extern const contestant asio_grpc;
/// A stream for each goroutine that calls.
extern const contestant go_streams;
/// One stream; a writer sends what waits in one message.
extern const contestant go_batched_stream;

/// No gRPC, and nothing of what a call has: numbered frames over one TCP connection. Both sides read whatever has come
/// and write all their answers at once, so a read and a write carry as many calls as wait: what batching alone is
/// worth, not the least that a call can cost. It sleeps between two reads, so whoever spins is faster with few calls
/// out.
extern const contestant tcp_echo;

}  // namespace weft::bench
