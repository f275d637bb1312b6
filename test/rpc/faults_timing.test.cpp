// 10,000 moments at which calls are given up, and at which either side ends: drawn from a seed, and counted in events.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>

#include "../support/dice.hpp"
#include "../support/faults.hpp"

using namespace std::chrono_literals;
using test::call_count;
using test::dice;
using test::v1::Echo;
using test::v1::EchoRequest;

namespace {

weft::task<> nothing() { co_return; }

// Lets so many turns of the strand pass.
weft::task<> turns(std::uint64_t n, weft::scope& s) {
  for (; n > 0; --n) {
    auto turn = s.start(nothing());
    co_await std::move(turn);
  }
}
weft::task<> let_pass(std::uint64_t n) { return weft::with_scope(&turns, n); }

weft::task<> say(Echo::client echo, call_count* calls, bool ends) {
  ++calls->begun;
  EchoRequest request;
  request.set_delay_us(ends ? 0 : 3'600'000'000);
  const auto reply = co_await echo.Say(std::move(request), weft::within{1h});
  static_cast<void>(reply);
  ++calls->completed;
}
weft::task<> talk(Echo::client echo, call_count* calls, std::uint64_t messages, std::uint64_t then) {
  ++calls->begun;
  {
    auto talk = echo.Talk(weft::within{1h});
    for (; messages > 0; --messages) {
      EchoRequest request;
      const auto sent = co_await talk.write(std::move(request));
      if (!sent.ok()) break;
      const auto reply = co_await talk.read();
      if (!reply) break;
    }
    if (then == 0) talk.cancel();
    if (then != 1) {  // else it is dropped
      const auto end = co_await talk.finish();
      static_cast<void>(end);
    }
  }
  ++calls->completed;
}

weft::task<> some_call(Echo::client echo, call_count* calls, dice* d) {
  if (d->one_in(2)) return say(echo, calls, d->one_in(2));
  const auto messages = d->below(3);
  return talk(echo, calls, messages, d->below(3));
}

// A few calls, which are stopped one by one or all at once, each after some turns.
weft::task<> give_up(Echo::client echo, call_count* calls, dice* d, weft::scope& s) {
  auto a = s.start(some_call(echo, calls, d));
  auto b = s.start(some_call(echo, calls, d));
  co_await let_pass(d->below(40));
  a.stop();
  co_await let_pass(d->below(10));
  d->one_in(2) ? b.stop() : s.stop();
  co_await std::move(a);
  co_await std::move(b);
}
weft::task<> give_up_often(Echo::client echo, call_count* calls, dice* d, int times) {
  for (int i = 0; i < times; ++i) co_await weft::with_scope(&give_up, echo, calls, d);
}

// On one connection and one server, so that a cycle is cheap.
void cancellations(std::uint64_t seed, int worker, int cycles) {
  const test::no_descriptor_left descriptors;
  dice d{seed};
  call_count calls;
  test::serving far{worker};
  {
    weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
    weft::peer peer{near, far.server.address()};
    weft::sync_wait(near, give_up_often(Echo::client{peer}, &calls, &d, cycles));
    CHECK(calls.begun == calls.completed);
    far.wait_until_idle();
    near.stop();
    test::serving::check_tags(near);
  }
  far.end();
}

struct customers {
  call_count calls;
  std::atomic<std::uint64_t> seen{0};  // calls that were begun or have ended
  std::atomic<bool> over{false};
};

weft::task<> keep_calling(Echo::client echo, customers* c, bool streams) {
  auto& ctx = co_await weft::current();
  while (!c->over && !ctx.stopped()) {
    ++c->seen;
    if (streams) {
      co_await talk(echo, &c->calls, 2, 2);
    } else {
      co_await say(echo, &c->calls, true);
    }
    ++c->seen;
    c->seen.notify_all();
  }
}
weft::task<> call_side_by_side(Echo::client echo, customers* c, weft::scope& s) {
  for (const bool streams : {false, false, true}) std::ignore = s.start(keep_calling(echo, c, streams));
  co_return;
}

// Either side ends, in any way, after so many events.
void shutdowns(std::uint64_t seed, int cycles) {
  dice d{seed};
  for (int i = 0; i < cycles; ++i) {
    CAPTURE(i);
    customers c;
    test::serving far{static_cast<int>(d.below(2))};
    weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
    weft::peer peer{near, far.server.address()};
    weft::spawn(
        near.control(), "callers",
        [](Echo::client echo, customers* c) -> weft::task<> { co_await weft::with_scope(&call_side_by_side, echo, c); },
        Echo::client{peer}, &c);
    const auto events = d.below(30);
    for (auto seen = c.seen.load(); seen < events; seen = c.seen.load()) c.seen.wait(seen);
    switch (d.below(5)) {
      case 0: far.server.stop(); break;
      // What runs ends by itself, nearly always: a unary call that comes just as gRPC shuts down was seen (ThreadSanitizer,
      // once in some hundred) to be held by gRPC, unseen by the service, until the grace was over.
      case 1: far.server.stop(200ms); break;
      case 2: far.service.stop_and_wait(test::either_mode(d)); break;
      case 3: far.end_at_once(); break;
      default: break;  // the client first
    }
    c.over = true;
    near.stop();
    test::serving::check_tags(near);
    CHECK(c.calls.begun == c.calls.completed);
    far.end();
  }
}

}  // namespace

TEST_SUITE("faults: 10,000 moments") {
  TEST_CASE("calls are given up at 4,600 moments, service on the polling worker") { cancellations(20261123, 0, 4'600); }
  TEST_CASE("calls are given up at 4,600 moments more, service on another worker") {
    cancellations(20261124, 1, 4'600);
  }
  TEST_CASE("a server, a service or a runtime ends under calls at 400 moments") { shutdowns(20261125, 400); }
  TEST_CASE("a server, a service or a runtime ends under calls at 400 moments more") { shutdowns(20261126, 400); }
}
