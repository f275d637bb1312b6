// What a server takes, and what it refuses.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::two_sides;
using test::v1::Echo;
using test::v1::EchoRequest;
using weft::code;

namespace {

EchoRequest slow(std::chrono::microseconds delay) {
  EchoRequest r;
  r.set_delay_us(delay.count());
  return r;
}

weft::reply<test::v1::EchoReply> call_slow(Echo::client echo, std::chrono::microseconds delay) {
  co_return co_await echo.Say(slow(delay), weft::within{20s});
}

weft::reply<test::v1::EchoReply> call_within(Echo::client echo, weft::duration limit) {
  co_return co_await echo.Say(slow(1h), weft::within{limit});
}

// Never mind that it was told to stop, for a while.
struct stubborn_service final : Echo::service {
  using service::service;
  weft::reply<test::v1::EchoReply> Say(EchoRequest& request) override {
    ++begun;
    co_await weft::shield(linger(request.delay_us()), 20s);
    co_return test::v1::EchoReply{};
  }
  static weft::task<> linger(std::int64_t us) { std::ignore = co_await weft::sleep_for(std::chrono::microseconds{us}); }
  int begun = 0;
};

}  // namespace

TEST_SUITE("limits of a server") {
  TEST_CASE("calls beyond those that may be in progress are refused, of all clients or of one") {
    for (const bool of_peer : {false, true}) {
      CAPTURE(of_peer);
      two_sides f{of_peer ? weft::server_options{.running_per_peer = 2} : weft::server_options{.running = 2}};
      const auto [a, b, c] =
          weft::sync_wait(f.client, weft::when_all(call_slow({*f.peer}, 200ms), call_slow({*f.peer}, 200ms),
                                                   call_slow({*f.peer}, 200ms)));
      const int refused = (a.code() == code::resource_exhausted) + (b.code() == code::resource_exhausted) +
                          (c.code() == code::resource_exhausted);
      CHECK(refused == 1);
      CHECK(f.say("again").ok());
      f.server.stop();
      CHECK(f.server.counters().refused == 1);
    }
  }

  TEST_CASE("handlers whose client has gone count as well") {
    weft::rpc_runtime rt, client;
    stubborn_service service{rt};
    weft::server server{rt, {.running = 1}};
    server.add(service);
    REQUIRE(server.start().ok());
    weft::peer peer{client, server.address()};
    const auto gone = weft::sync_wait(client, weft::with_timeout(50ms, call_slow({peer}, 1s)));
    CHECK(gone.code() == code::deadline_exceeded);
    const auto refused = weft::sync_wait(client, call_slow({peer}, 0us));
    CHECK(refused.status() == weft::resource_exhausted("the server has as many calls in progress as it may"));
    const auto later = [](Echo::client echo) -> weft::reply<code> {
      for (;;) {
        const auto reply = co_await echo.Say(slow(0us));
        if (reply.code() != code::resource_exhausted) co_return reply.code();
        std::ignore = co_await weft::sleep_for(10ms);
      }
    };
    const auto in_the_end = weft::sync_wait(client, weft::with_timeout(10s, later(Echo::client{peer})));
    CHECK((in_the_end.ok() && *in_the_end == code::ok));
    client.stop();
    server.stop();
    service.stop_and_wait();
  }

  TEST_CASE("a request that is too large fails its call, and not its connection") {
    two_sides f{{.request_bytes = 10'000}};
    CHECK(f.say(std::string(9'000, 'x')).ok());
    CHECK(f.say(std::string(11'000, 'x')).code() == code::resource_exhausted);
    CHECK(f.say("again").ok());
  }

  TEST_CASE("metadata that are too large fail their call, and not their connection") {
    two_sides f{{.metadata_bytes = 2'000}};
    const auto with = [](std::size_t bytes) { return weft::call_options{}.with("x-padding", std::string(bytes, 'x')); };
    for (int i = 0; i < 20; ++i) {
      CHECK(f.say("hi", with(1'000)).status() == weft::status{});
      const auto refused = f.say("hi", with(4'000)).status();
      CHECK(refused.code() == code::resource_exhausted);
      CHECK_MESSAGE(refused.message().ends_with("bytes, and 2000 are taken"), refused.message());
      CHECK(f.say("again").status() == weft::status{});
    }
    f.server.stop();
    CHECK(f.server.counters().refused == 20);
  }

  TEST_CASE("a connection that has reached its age is replaced, and its calls are finished") {
    two_sides f{{.connection_age = 100ms}};
    const auto all = weft::sync_wait(f.client, [](Echo::client echo) -> weft::task<int> {
      int failed = 0;
      for (int i = 0; i < 20; ++i) {
        const auto reply = co_await echo.Say(slow(20ms));
        if (!reply.ok()) ++failed;
      }
      co_return failed;
    }(Echo::client{*f.peer}));
    CHECK(all == 0);
  }

  TEST_CASE("a handler that never replies is stopped at the server's limit, and named; a stream is not") {
    two_sides f{{.longest = 100ms}};
    const auto begun = std::chrono::steady_clock::now();
    const auto reply = weft::sync_wait(f.client, call_slow({*f.peer}, 1h));  // its client would wait for 20 s
    CHECK(reply.code() == code::deadline_exceeded);
    CHECK(std::chrono::steady_clock::now() - begun < 10s);
    CHECK(*weft::sync_wait(f.rt, weft::as_task(f.service.call([&] { return f.service.stopped; }))) == 1);
    CHECK(f.log().find("server: /test.v1.Echo/Say was ended after 100 ms, the longest a call may take") !=
          std::string::npos);
    const auto streamed = weft::sync_wait(f.client, [](Echo::client echo) -> weft::task<weft::status> {
      test::v1::RepeatRequest request;
      request.set_times(3);
      request.set_delay_us(100'000);
      auto feed = echo.Repeat(std::move(request), weft::within{20s});
      co_return co_await feed.finish();
    }(Echo::client{*f.peer}));
    CHECK_MESSAGE(streamed.ok(), streamed);
  }

  TEST_CASE("a client's own deadline is not reported as the server's limit") {
    two_sides f{{.longest = 1h}};
    const auto late = weft::sync_wait(f.client, call_within({*f.peer}, 50ms));
    CHECK(late.code() == code::deadline_exceeded);
    CHECK(f.log().find("was ended after") == std::string::npos);
  }

  TEST_CASE("a call whose deadline passes in the mailbox never runs") {
    two_sides f{{}, {}, {.running = 1}};
    const auto in_service = [&f](auto look) {
      std::size_t seen = 0;
      weft::visit(f.rt.worker_at(0), [&] { seen = static_cast<std::size_t>(look(f.service)); });
      return seen;
    };
    std::thread first{[&] { CHECK(weft::sync_wait(f.client, call_slow({*f.peer}, 500ms)).ok()); }};
    while (in_service([](auto& s) { return s.running(); }) == 0) std::this_thread::yield();
    CHECK(weft::sync_wait(f.client, call_within({*f.peer}, 50ms)).code() == code::deadline_exceeded);
    first.join();
    CHECK(f.say("later").ok());
    CHECK(in_service([](auto& s) { return s.begun.load(); }) == 2);
    CHECK(in_service([](auto& s) { return s.counters().expired + s.counters().abandoned; }) == 1);
  }

  TEST_CASE("what a server takes is said when it starts") {
    two_sides f;
    CHECK(f.log().find("serving on 127.0.0.1:0 (" + std::to_string(f.server.port()) +
                       "), plain text, open to all; at most 20000 calls in progress") != std::string::npos);
    CHECK(f.log().find("gRPC 1.") != std::string::npos);
  }
}
