// Everything may end at any moment: no hang, no leak, every tag comes back, every call completes once.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/echo_service.hpp"

using namespace std::chrono_literals;
using test::v1::Echo;
using test::v1::EchoRequest;

namespace {

struct tally {
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> completed{0};
  std::atomic<bool> stop{false};
};

// One call after the other until told to end.
weft::task<> keep_calling(Echo::client echo, tally* t, int delay_us) {
  auto& ctx = co_await weft::current();
  EchoRequest request;
  request.set_text("x");
  request.set_delay_us(delay_us);
  while (!t->stop && !ctx.stopped()) {
    t->begun.fetch_add(1);
    auto reply = co_await echo.Say(request, weft::within{10s});
    t->completed.fetch_add(1);
    t->completed.notify_all();
    // The other side is gone, or not yet reached.
    if (reply.code() == weft::code::unavailable) std::ignore = co_await weft::sleep_for(1ms);
  }
}

// One stream after the other, that talks in turn.
weft::task<> keep_talking(Echo::client echo, tally* t) {
  auto& ctx = co_await weft::current();
  while (!t->stop && !ctx.stopped()) {
    t->begun.fetch_add(1);
    auto talk = echo.Talk(weft::within{10s});
    for (int i = 0; i < 3; ++i) {
      EchoRequest request;
      request.set_text("x");
      request.set_delay_us(200);
      if (!(co_await talk.write(std::move(request))).ok()) break;
      if (!(co_await talk.read()).has_value()) break;
    }
    const auto outcome = co_await talk.finish();
    t->completed.fetch_add(1);
    t->completed.notify_all();
    if (outcome.code() == weft::code::unavailable) std::ignore = co_await weft::sleep_for(1ms);
  }
}

// One stream after the other, that is listened to, or dropped in the middle.
weft::task<> keep_listening(Echo::client echo, tally* t) {
  auto& ctx = co_await weft::current();
  for (int n = 0; !t->stop && !ctx.stopped(); ++n) {
    t->begun.fetch_add(1);
    test::v1::RepeatRequest request;
    request.set_text("x");
    request.set_times(40);
    request.set_delay_us(n % 2 * 100);
    auto feed = echo.Repeat(std::move(request), weft::within{10s});
    for (int i = 0; i < 10; ++i) {
      if (!(co_await feed.read()).has_value()) break;
    }
    const auto outcome = n % 3 == 0 ? weft::status{} : co_await feed.finish();
    t->completed.fetch_add(1);
    t->completed.notify_all();
    if (!outcome.ok()) std::ignore = co_await weft::sleep_for(1ms);
  }
}

weft::task<> callers(Echo::client echo, Echo::client in_order, tally* t, weft::scope& s) {
  for (int i = 0; i < 12; ++i) std::ignore = s.start(keep_calling(i < 8 ? echo : in_order, t, 500 + i % 4 * 1'000));
  for (int i = 0; i < 3; ++i) {
    std::ignore = s.start(keep_talking(echo, t));
    std::ignore = s.start(keep_listening(echo, t));
  }
  co_return;
}

// A process of its own, nearly: a runtime, a service, a server, and a way to the other one.
struct side {
  side(int service_worker, weft::duration spin)
      : rt{{.runtime = {.workers = 2, .spin = spin, .log = [](std::string_view) {}}}},
        service{rt, {.worker = service_worker}} {}

  weft::rpc_runtime rt;
  weft::strand away{rt, {.name = "away", .worker = 1}};
  test::echo_service service;
  std::unique_ptr<weft::server> server = std::make_unique<weft::server>(rt);
  std::unique_ptr<weft::peer> peer;
  std::optional<weft::session> session;
  tally calls;

  void listen() {
    server->add(service);
    REQUIRE(server->start().ok());
  }
  void call(const side& other, bool elsewhere) {
    peer = std::make_unique<weft::peer>(rt, other.server->address());
    session.emplace(*peer);
    weft::spawn(
        elsewhere ? away : rt.control(), "callers",
        [](Echo::client echo, Echo::client in_order, tally* t) -> weft::task<> {
          co_await weft::with_scope(&callers, echo, in_order, t);
        },
        Echo::client{*peer}, Echo::client{session->ordered(1)}, &calls);
  }
  void stop_service() { service.stop_and_wait(weft::stop_mode::abort); }
  void check() {
    const auto& c = rt.queue().counters();
    CHECK(c.started == c.ended);
    CHECK(calls.begun == calls.completed);
  }
};

void cycle(std::mt19937& random) {
  const auto worker = [&random] { return static_cast<int>(random() % 2); };
  const auto spin = random() % 2 == 0 ? weft::duration{20us} : weft::duration::zero();
  side a{worker(), spin}, b{worker(), spin};
  a.listen();
  b.listen();
  a.call(b, worker() == 1);
  b.call(a, worker() == 1);

  // The cut: after so many replies, with at least 10 calls in flight each way.
  const auto replies = random() % 40;
  for (auto* s : {&a, &b}) {
    for (auto seen = s->calls.completed.load(); seen < replies; seen = s->calls.completed.load()) {
      s->calls.completed.wait(seen);
    }
  }
  // Who ends first, and what of it.
  std::array<side*, 2> order{&a, &b};
  if (random() % 2 == 0) std::swap(order[0], order[1]);
  for (auto* s : order) {
    switch (random() % 4) {
      case 0: s->rt.stop(); break;  // stops the server too
      case 1:
        s->server->stop();
        s->rt.stop();
        break;
      case 2:
        s->stop_service();
        s->server->stop(1ms);
        s->rt.stop();
        break;
      default:
        s->calls.stop = true;
        s->server.reset();
        s->rt.stop();
        break;
    }
  }
  a.check();
  b.check();
}

}  // namespace

TEST_SUITE("shutdown") {
  // A thousand in all, in four parts so that they can run side by side.
  void two_hundred_and_fifty_cycles(unsigned seed) {
    std::mt19937 random{seed};
    for (int i = 0; i < 250; ++i) {
      CAPTURE(i);
      cycle(random);
    }
  }

  TEST_CASE("server and client end at any moment with calls in flight both ways: first 250 of 1,000") {
    two_hundred_and_fifty_cycles(20261122);
  }
  TEST_CASE("server and client end at any moment with calls in flight both ways: second 250 of 1,000") {
    two_hundred_and_fifty_cycles(20261123);
  }
  TEST_CASE("server and client end at any moment with calls in flight both ways: third 250 of 1,000") {
    two_hundred_and_fifty_cycles(20261124);
  }
  TEST_CASE("server and client end at any moment with calls in flight both ways: fourth 250 of 1,000") {
    two_hundred_and_fifty_cycles(20261125);
  }
}
