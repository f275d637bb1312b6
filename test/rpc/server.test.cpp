#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::two_sides;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;

namespace {

EchoRequest say(std::string text, std::chrono::microseconds delay = 0us) {
  EchoRequest r;
  r.set_text(std::move(text));
  r.set_delay_us(delay.count());
  return r;
}

weft::reply<EchoReply> call_say(Echo::client echo, EchoRequest request) { co_return co_await echo.Say(request); }

}  // namespace

TEST_SUITE("server") {
  TEST_CASE("the first call after the server was idle for longer than a call may take has its whole time") {
    two_sides f{{.longest = 50ms}};
    CHECK(weft::sync_wait(f.client, call_say({*f.peer}, say("connect"))).ok());
    CHECK(weft::sync_wait(f.client, weft::as_task(weft::sleep_for(80ms))).ok());
    const auto reply = weft::sync_wait(f.client, call_say({*f.peer}, say("again")));
    REQUIRE(reply.ok());
    CHECK(reply->left_us() > 20'000);
  }

  TEST_CASE("a runtime starts one server: another, or the same again, is FAILED_PRECONDITION") {
    weft::rpc_runtime rt;
    test::echo_service service{rt};
    std::string address;
    {
      weft::server first{rt};
      first.add(service);
      REQUIRE(first.start().ok());
      CHECK(first.start().code() == weft::code::failed_precondition);
      address = first.address();
      weft::rpc_runtime other;
      test::echo_service also{other};
      weft::server taken{other, {.addresses = {address}}};
      taken.add(also);
      for (int i = 0; i < 2; ++i) {  // it may be tried again
        CHECK(taken.start() == weft::unavailable("cannot listen on '" + address + "': Address already in use"));
      }
      also.stop_and_wait();
    }
    weft::server second{rt};
    CHECK(second.start() ==
          weft::failed_precondition(
              "this runtime has started a server before, or tried to: make a new runtime for another"));
    service.stop_and_wait();
  }

  TEST_CASE("a server that would wait for no request does not start") {
    weft::rpc_runtime rt;
    weft::server server{rt, {.armed = 0}};
    CHECK(server.start() == weft::invalid_argument("server_options::armed: it needs a request that waits, not 0"));
  }

  TEST_CASE("a server without an address, or with a service twice, does not start, and says why") {
    weft::rpc_runtime rt;
    test::echo_service one{rt}, other{rt};
    {
      weft::server nowhere{rt, {.addresses = {}}};
      CHECK(nowhere.start() == weft::invalid_argument("server_options::addresses: there is none"));
    }
    {
      weft::server twice{rt};
      twice.add(one);
      twice.add(other);
      CHECK(twice.start() == weft::invalid_argument("two services of this server have the method /test.v1.Echo/Say"));
    }
    weft::server once{rt};
    once.add(one);
    CHECK(once.start().ok());
    once.stop();
    one.stop_and_wait();
    other.stop_and_wait();
  }

  TEST_CASE("a service may go once the server that offered it has stopped") {
    weft::rpc_runtime rt;
    auto service = std::make_unique<test::echo_service>(rt);
    weft::server s{rt};
    s.add(*service);
    REQUIRE(s.start().ok());
    s.stop();
    service->stop_and_wait();
    service.reset();
  }

  TEST_CASE("on a runtime that has ended a server does not start, and its stop returns") {
    weft::rpc_runtime rt;
    weft::server s{rt};
    rt.stop();
    CHECK(s.start() == weft::failed_precondition("the runtime has ended"));
    s.stop();
  }

  TEST_CASE("a call that waits behind a local one does not keep the server from stopping") {
    two_sides f{{}, {}, {.reentrancy = weft::reentrancy::exclusive}};
    weft::spawn(
        f.rt.control(), "local caller",
        [](Echo::client echo) -> weft::task<> { std::ignore = co_await echo.Say(say("local", 1h), weft::within{1h}); },
        Echo::client{f.service});
    for (int begun = 0; begun == 0; std::this_thread::yield()) {
      weft::visit(f.rt.worker_at(0), [&] { begun = f.service.begun.load(); });
    }
    weft::spawn(
        f.client.control(), "remote caller",
        [](Echo::client echo) -> weft::task<> { std::ignore = co_await echo.Say(say("remote"), weft::within{1h}); },
        Echo::client{*f.peer});
    for (std::size_t waiting = 0; waiting == 0; std::this_thread::yield()) {
      weft::visit(f.rt.worker_at(0), [&] { waiting = f.service.waiting(); });
    }
    f.server.stop();
    CHECK(f.service.counters().abandoned == 1);
  }

  TEST_CASE("requests beyond the bytes that may wait are refused") {
    two_sides f{{}, {}, {.reentrancy = weft::reentrancy::exclusive, .mailbox_bytes = 10'000}};
    const auto big = say(std::string(6'000, 'x'), 300ms);
    weft::sync_wait(f.client, [](weft::peer* p, EchoRequest r) -> weft::task<> {
      CHECK(Echo::client{*p}.send.Say(std::move(r)).ok());
      co_return;
    }(f.peer.get(), big));
    for (int begun = 0; begun == 0; std::this_thread::yield()) {
      weft::visit(f.rt.worker_at(0), [&] { begun = f.service.begun.load(); });
    }

    const Echo::client echo{*f.peer};
    const auto [one, other] = weft::sync_wait(f.client, weft::when_all(call_say(echo, big), call_say(echo, big)));
    const auto is_refused = [](const auto& r) { return r.code() == weft::code::resource_exhausted ? 1 : 0; };
    const int refused = is_refused(one) + is_refused(other);
    CHECK(refused == 1);  // one runs, one waits
  }

  TEST_CASE("a timeout of centuries is no deadline, as one of a year is one") {
    CHECK(weft::from_timespec({.tv_sec = 9'223'372'037, .tv_nsec = 0, .clock_type = GPR_CLOCK_MONOTONIC}) ==
          weft::never);
    CHECK(weft::from_timespec({.tv_sec = INT64_MAX - 1, .tv_nsec = 5, .clock_type = GPR_CLOCK_MONOTONIC}) ==
          weft::never);
    CHECK(weft::from_timespec({.tv_sec = 31'536'000, .tv_nsec = 5, .clock_type = GPR_CLOCK_MONOTONIC}) < weft::never);
  }
}

TEST_SUITE("a call that outlives its caller") {
  TEST_CASE("a peer may go while calls that were given up, or sent one way, are still out") {
    two_sides f;
    for (int i = 0; i < 20; ++i) {
      weft::peer short_lived{f.client, f.server.address()};
      const auto r = weft::sync_wait(f.client, weft::with_timeout(2ms, call_say({short_lived}, say("slow", 50ms))));
      CHECK(r.code() == weft::code::deadline_exceeded);
      weft::sync_wait(f.client, [](weft::peer* p) -> weft::task<> {
        CHECK(Echo::client{*p}.send.Say(say("one way", 20ms)).ok());
        co_return;
      }(&short_lived));
    }
  }

  TEST_CASE("the end of a runtime does not wait for one-way calls, from whichever worker they came") {
    two_sides f;
    for (const int worker : {0, 1}) {
      weft::rpc_runtime short_lived{{.runtime = {.workers = 2}}};
      weft::peer peer{short_lived, f.server.address()};
      weft::service sender{short_lived, {.worker = worker}};
      weft::sync_wait(short_lived, [](weft::service* s, weft::peer* p) -> weft::task<> {
        CHECK((co_await s->call([p] { return Echo::client{*p}.send.Say(say("slow", 10s), weft::within{20s}); })).ok());
      }(&sender, &peer));
      sender.stop_and_wait();
      const auto begin = std::chrono::steady_clock::now();
      short_lived.stop();
      CHECK(std::chrono::steady_clock::now() - begin < 5s);
    }
  }
}
