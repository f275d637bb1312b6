// Calls through middleware of both sides that are given up at any moment.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <utility>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/dice.hpp"
#include "../support/faults.hpp"
#include "../support/middleware.hpp"

using namespace std::chrono_literals;
using namespace test::around;
using test::v1::Echo;
using weft::incoming;
using weft::outgoing;
using weft::rest_of_call;
using weft::status;
using weft::task;

namespace {

task<status> slow_both_ways(rest_of_call next, journal* j) {
  const counted here{j};
  std::ignore = co_await weft::sleep_for(100us);
  auto s = co_await next();
  std::ignore = co_await weft::sleep_for(100us);
  co_return s;
}

task<> keep_calling(Echo::client echo, std::uint64_t seed, test::call_count* calls, int times) {
  test::dice d{seed};
  for (int i = 0; i < times; ++i) {
    ++calls->begun;
    const auto limit = std::chrono::microseconds{d.below(4'000)};
    const auto delay = std::chrono::microseconds{d.below(2'000)};
    if (d.one_in(3)) {
      auto talking = talk(echo, {"a", "b"}, nullptr, 10s);
      std::ignore = co_await weft::with_timeout(limit, std::move(talking));
    } else if (d.one_in(2)) {
      std::ignore = co_await weft::with_timeout(limit, say_within(echo, saying("x", delay), 10s));
    } else {
      std::ignore = co_await say_within(echo, saying("x", delay), limit);
    }
    ++calls->completed;
  }
}

task<> call_side_by_side(Echo::client echo, test::call_count* calls, std::uint64_t seed, weft::scope& s) {
  constexpr std::uint64_t callers = 10;
  for (std::uint64_t i = 0; i < callers; ++i) std::ignore = s.start(keep_calling(echo, seed + i, calls, 50));
  co_return;
}

// 1,000 calls, half of them from worker 0, half from worker 1, to a service on `worker`.
void call_and_give_up(int worker) {
  journal at_server, at_client;
  test::call_count calls;
  const auto here = [&at_client](outgoing&, rest_of_call next) { return slow_both_ways(next, &at_client); };
  const auto there = [&at_server](incoming&, rest_of_call next) { return slow_both_ways(next, &at_server); };
  test::serving far{worker, serving({there, there})};
  {
    weft::rpc_runtime near{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
    weft::strand polling{near, {.name = "polling", .worker = 0}}, other{near, {.name = "other", .worker = 1}};
    weft::peer peer{near, far.server.address(), calling({here})};
    const std::array<weft::strand*, 2> homes{&polling, &other};
    weft::sync_wait(near, weft::with_scope(
                              [](const std::array<weft::strand*, 2>* homes, Echo::client echo, test::call_count* calls,
                                 weft::scope& s) -> task<> {
                                std::uint64_t seed = 1;
                                for (auto* home : *homes) {
                                  seed += 100;
                                  std::ignore = s.start(weft::run_on(*home, [echo, calls, seed] {
                                    return weft::with_scope(&call_side_by_side, echo, calls, seed);
                                  }));
                                }
                                co_return;
                              },
                              &homes, Echo::client{peer}, &calls));
    CHECK(calls.begun == 1'000);
    CHECK(calls.completed == calls.begun);
    near.stop();
    test::serving::check_tags(near);
  }
  far.end();
  CHECK(at_client.begun > 0);
  CHECK(at_client.begun == at_client.ended);
  CHECK(at_server.begun == at_server.ended);
}

}  // namespace

TEST_SUITE("middleware") {
  TEST_CASE("1,000 calls that are given up at any moment complete once each, service on the polling worker") {
    call_and_give_up(0);
  }
  TEST_CASE("1,000 calls that are given up at any moment complete once each, service on another worker") {
    call_and_give_up(1);
  }
}
