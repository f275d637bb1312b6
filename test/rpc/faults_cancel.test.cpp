// Calls that are given up in every way and at any moment: each completes once, and nothing is left of it.
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <tuple>
#include <utility>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/dice.hpp"
#include "../support/faults.hpp"

using namespace std::chrono_literals;
using test::call_count;
using test::dice;
using test::v1::Echo;
using test::v1::EchoReply;

namespace {

test::v1::EchoRequest slow(dice& d) {
  test::v1::EchoRequest r;
  r.set_text("x");
  r.set_delay_us(static_cast<std::int64_t>(d.below(2'000)));
  return r;
}
test::v1::RepeatRequest feed_of(dice& d) {
  test::v1::RepeatRequest r;
  r.set_text("x");
  r.set_times(static_cast<int>(d.below(30)));
  r.set_delay_us(static_cast<std::int64_t>(d.below(3) * 100));
  return r;
}
weft::duration soon(dice& d) { return std::chrono::microseconds{d.below(2'500)}; }

weft::task<> say(Echo::client echo, dice* d) {
  auto request = slow(*d);
  const weft::within limit{d->one_in(2) ? soon(*d) : 10s};
  std::ignore = co_await echo.Say(std::move(request), limit);
}

weft::reply<EchoReply> say_patiently(Echo::client echo, test::v1::EchoRequest request) {
  co_return co_await echo.Say(std::move(request), weft::within{10s});
}

weft::task<> say_for_a_while(Echo::client echo, dice* d) {
  std::ignore = co_await weft::with_timeout(soon(*d), say_patiently(echo, slow(*d)));
}

weft::task<> say_and_stop(Echo::client echo, dice* d, weft::scope& s) {
  auto call = s.start(say_patiently(echo, slow(*d)));
  if (!d->one_in(3)) std::ignore = co_await weft::sleep_for(soon(*d));
  d->one_in(2) ? call.stop() : s.stop();
  std::ignore = co_await std::move(call);
}

// Reads some, and then drops it, cancels it, or waits for its end.
weft::task<weft::status> listen(Echo::client echo, dice* d, weft::duration limit) {
  auto feed = echo.Repeat(feed_of(*d), weft::within{limit});
  for (auto n = d->below(20); n > 0; --n) {
    const auto reply = co_await feed.read();
    if (!reply) break;
  }
  if (d->one_in(3)) co_return weft::status{};
  if (d->one_in(3)) feed.cancel();
  co_return co_await feed.finish();
}

weft::task<weft::status> talk(Echo::client echo, dice* d, weft::duration limit) {
  auto talk = echo.Talk(weft::within{limit});
  for (auto n = d->below(4); n > 0; --n) {
    const auto sent = co_await talk.write(slow(*d));
    if (!sent.ok()) break;
    if (d->one_in(2)) std::ignore = co_await talk.read();
  }
  if (d->one_in(3)) co_return weft::status{};
  if (d->one_in(3)) talk.cancel();
  co_return co_await talk.finish();
}

weft::reply<EchoReply> join(Echo::client echo, dice* d, weft::duration limit) {
  auto up = echo.Join(weft::within{limit});
  for (auto n = d->below(4); n > 0; --n) {
    const auto sent = co_await up.write(slow(*d));
    if (!sent.ok()) break;
  }
  if (d->one_in(3)) co_return EchoReply{};
  if (d->one_in(3)) up.cancel();
  co_return co_await up.finish();
}

weft::task<> one_call(Echo::client echo, dice* d) {
  const auto limit = d->one_in(2) ? soon(*d) : 10s;
  switch (d->below(10)) {
    case 0:
    case 1: co_return co_await say_for_a_while(echo, d);
    case 2:
    case 3: co_return co_await weft::with_scope(&say_and_stop, echo, d);
    case 4: std::ignore = co_await listen(echo, d, limit); co_return;
    case 5: std::ignore = co_await weft::with_timeout(soon(*d), listen(echo, d, 10s)); co_return;
    case 6: std::ignore = co_await talk(echo, d, limit); co_return;
    case 7: std::ignore = co_await weft::with_timeout(soon(*d), talk(echo, d, 10s)); co_return;
    case 8: std::ignore = co_await join(echo, d, limit); co_return;
    default: co_return co_await say(echo, d);
  }
}

weft::task<> keep_calling(Echo::client echo, call_count* calls, std::uint64_t seed, int times) {
  dice d{seed};
  for (int i = 0; i < times; ++i) {
    ++calls->begun;
    co_await one_call(echo, &d);
    ++calls->completed;
  }
}

constexpr int callers = 50;

weft::task<> call_side_by_side(Echo::client echo, call_count* calls, std::uint64_t seed, int times, weft::scope& s) {
  for (int i = 0; i < callers; ++i) {
    std::ignore = s.start(keep_calling(echo, calls, seed + static_cast<std::uint64_t>(i), times / callers));
  }
  co_return;
}

// Half of the calls from worker 0, half from worker 1, to a service on `worker`.
void call_and_give_up(int worker, std::uint64_t seed) {
  MESSAGE("seed " << seed);
  constexpr int each = 12'500;
  const test::no_descriptor_left descriptors;
  call_count calls;
  test::serving far{worker};
  {
    weft::rpc_runtime near{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
    weft::strand polling{near, {.name = "polling", .worker = 0}}, other{near, {.name = "other", .worker = 1}};
    weft::peer peer{near, far.server.address()};
    const std::array<weft::strand*, 2> homes{&polling, &other};
    weft::sync_wait(near, weft::with_scope(
                              [](const std::array<weft::strand*, 2>* homes, Echo::client echo, call_count* calls,
                                 std::uint64_t seed, weft::scope& s) -> weft::task<> {
                                for (auto* home : *homes) {
                                  seed += callers;
                                  std::ignore = s.start(weft::run_on(*home, [echo, calls, seed] {
                                    return weft::with_scope(&call_side_by_side, echo, calls, seed, each);
                                  }));
                                }
                                co_return;
                              },
                              &homes, Echo::client{peer}, &calls, seed));
    CHECK(calls.begun == 2 * each);
    CHECK(calls.completed == calls.begun);
    far.wait_until_idle();
    near.stop();
    test::serving::check_tags(near);
  }
  far.end();
}

}  // namespace

TEST_SUITE("faults: calls given up") {
  // 100,000 in all, in four parts so that they can run side by side.
  TEST_CASE("calls that are given up at any moment complete once: 25,000, service on the polling worker") {
    call_and_give_up(0, 20261123);
  }
  TEST_CASE("calls that are given up at any moment complete once: 25,000, service on another worker") {
    call_and_give_up(1, 20261124);
  }
  TEST_CASE("calls that are given up at any moment complete once: 25,000 more, service on the polling worker") {
    call_and_give_up(0, 20261125);
  }
  TEST_CASE("calls that are given up at any moment complete once: 25,000 more, service on another worker") {
    call_and_give_up(1, 20261126);
  }
}
