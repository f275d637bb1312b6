#include <array>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>

#include <weft/bench/rpc/contest.hpp>
#include <weft/bench/rpc/peer_contestants.hpp>
#include <weft/bench/rpc/raw_contestants.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/weft_unary.hpp>

// What a unary call costs, beside the same by hand.

namespace weft::bench {
namespace {

template <bool WeftDefaults, int SpinMicroseconds = 0>
void serve_weft_unary(parent_link& parent) {
  serve_weft(parent, {.weft_defaults = WeftDefaults, .spin = std::chrono::microseconds{SpinMicroseconds}});
}
template <bool WeftDefaults, int SpinMicroseconds = 0>
run_result call_weft_unary(const call_setup& setup) {
  return call_weft(setup.target, setup.outstanding, setup.payload, call_deadline, setup.load,
                   {.weft_defaults = WeftDefaults, .spin = std::chrono::microseconds{SpinMicroseconds}});
}

// Another one is a serve and a call function above and a line here; it looks at the payload of each reply.
const std::array contestants{
    raw_queue,
    contestant{.name = "weft unary, gRPC's settings",
               .peer = false,
               .serve = serve_weft_unary<false>,
               .call = call_weft_unary<false>},
    tuned_raw_queue,
    contestant{.name = "weft unary", .peer = false, .serve = serve_weft_unary<true>, .call = call_weft_unary<true>},
    contestant{.name = "weft unary, spin 50 us",
               .peer = false,
               .serve = serve_weft_unary<true, 50>,
               .call = call_weft_unary<true, 50>},
    callback_api,
    sync_threads,
    sync_pool,
    go_unary,
    go_stream_workers,
    asio_grpc,
};
constexpr std::array concurrencies{1, 64, 512};
constexpr std::array<std::size_t, 1> payloads{32};

}  // namespace

int run_unary(std::span<char* const> arguments) {
  return run_contest(
      {.suite = "unary",
       .question = "Calls per second, latency and CPU time of unary calls with 1, 64 and 512 outstanding.",
       .contestants = contestants,
       .concurrencies = concurrencies,
       .payloads = payloads},
      arguments);
}

}  // namespace weft::bench
