#include <array>

#include <weft/bench/rpc/bare_stream.hpp>
#include <weft/bench/rpc/contest.hpp>
#include <weft/bench/rpc/peer_contestants.hpp>
#include <weft/bench/rpc/raw_contestants.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/weft_unary.hpp>

// What a call over a session costs, beside unary calls and beside streams by hand.

namespace weft::bench {
namespace {

void serve(parent_link& parent) { serve_weft(parent, {}); }
run_result call_unary(const call_setup& setup) {
  return call_weft(setup.target, setup.outstanding, setup.payload, call_deadline, setup.load, {});
}
template <int SpinMicroseconds>
void serve_spinning(parent_link& parent) {
  serve_weft(parent, {.spin = std::chrono::microseconds{SpinMicroseconds}});
}
template <int SpinMicroseconds>
run_result call_session(const call_setup& setup) {
  return call_weft(setup.target, setup.outstanding, setup.payload, call_deadline, setup.load,
                   {.spin = std::chrono::microseconds{SpinMicroseconds}, .session = true});
}

const std::array contestants{
    raw_queue,
    contestant{.name = "weft unary", .peer = false, .serve = serve, .call = call_unary},
    bare_stream,
    bare_batched_stream,
    contestant{.name = "weft session", .peer = false, .serve = serve, .call = call_session<0>},
    contestant{
        .name = "weft session, spin 50 us", .peer = false, .serve = serve_spinning<50>, .call = call_session<50>},
    go_streams,
    go_batched_stream,
    tcp_echo,
};
constexpr std::array concurrencies{1, 64, 512, 4096};
constexpr std::array<std::size_t, 1> payloads{32};

}  // namespace

int run_session(std::span<char* const> arguments) {
  return run_contest({.suite = "session",
                      .question =
                          "Calls per second, latency and CPU time of calls over one session, in order by 64 keys, "
                          "with deadlines.",
                      .contestants = contestants,
                      .concurrencies = concurrencies,
                      .payloads = payloads,
                      .yardstick = {.row = "bare batched stream",
                                    .of = "raw_cq",
                                    .concurrency = 64,
                                    .at_least = 6.5,
                                    .payload = payloads.front()}},
                     arguments);
}

}  // namespace weft::bench
