// What becomes of calls when a session's stream ends, by order or by accident.
#include <weft/rpc/session.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/bad_network.hpp"
#include "../support/session_ends.hpp"
#include "test/v1/echo.weft.hpp"

using namespace std::chrono_literals;
using test::bad_network;
using test::ends;
using test::listener;
using test::outcomes;
using test::say;
using test::v1::Echo;
using test::v1::EchoReply;
using weft::code;

TEST_SUITE("session: streams that end") {
  TEST_CASE("a server that stops answers what it has begun, and the session connects to its successor") {
    auto e = std::make_unique<ends>();
    const auto before = e->say_over(e->session->ordered(1), say("before"));
    CHECK(before.ok());
    std::optional<weft::result<EchoReply>> held;
    std::thread waiting{[&] { held = e->say_over(e->session->ordered(1), say("hold")); }};
    e->until_held(1);
    std::thread stopping{[&] { e->server.stop(10s); }};
    while (e->session->state() != weft::session_state::idle) std::this_thread::yield();
    CHECK(e->say_over(e->session->ordered(2), say("late")).code() == code::unavailable);
    e->let_go();
    waiting.join();
    stopping.join();
    REQUIRE(held);
    CHECK_MESSAGE(held->ok(), held->status());
    CHECK(e->heard() == std::vector<std::string>{"before", "hold"});
  }

  TEST_CASE(
      "calls of a key that is out on a stream which goes away wait for it, others go to the next server at once") {
    auto e = std::make_unique<ends>();
    std::optional<weft::result<EchoReply>> held;
    std::thread waiting{[&] { held = e->say_over(e->session->ordered(1), say("hold"), weft::within{20s}); }};
    e->until_held(1);
    std::thread stopping{[&] { e->server.stop(20s); }};
    while (e->session->state() != weft::session_state::idle) std::this_thread::yield();
    weft::rpc_runtime next_runtime{{.runtime = {.workers = 1, .log = [](std::string_view) {}}}};
    listener next{next_runtime};
    weft::server_options o;
    o.addresses = {e->server.address()};
    weft::server successor{next_runtime, std::move(o)};
    successor.add(next);
    const auto begun = successor.start();
    REQUIRE_MESSAGE(begun.ok(), begun);
    const auto heard = [&] {
      return *weft::sync_wait(next_runtime, weft::as_task(next.call([&] { return next.heard; })));
    };
    const auto behind = e->run(weft::with_scope(
        [](ends* e, weft::scope& s) -> weft::task<weft::result<EchoReply>> {
          const weft::call_options patient = weft::call_options{weft::within{20s}}.wait_for_ready();
          auto behind = s.start(Echo::client{e->session->ordered(1)}.Say(say("behind"), patient));
          const Echo::client others{e->session->ordered(2)};
          for (int i = 0; i < 50; ++i) {
            const auto reply = co_await others.Say(say("other"), patient);
            if (!reply.ok()) co_return reply.status();
          }
          std::ignore = e->serving.control().try_post([e] { e->there.let_go.set(); });
          co_return co_await std::move(behind);
        },
        e.get()));
    waiting.join();
    stopping.join();
    CHECK_MESSAGE(held->ok(), held->status());
    CHECK_MESSAGE(behind.ok(), behind.status());
    CHECK(heard().size() == 51);
    CHECK(heard().back() == "behind");
    e.reset();
    successor.stop();
    next.stop_and_wait();
  }

  TEST_CASE("a stream that breaks fails what was sent, once each, and the next calls go over a new one") {
    ends e;
    bad_network between{e.server.port()};
    weft::peer peer{e.client, between.address};
    auto session = peer.session();
    CHECK(e.say_over(session.ordered(1), say("before")).ok());
    outcomes broken;
    std::thread waiting{[&] { broken = say_all(e, session.ordered(1), std::vector<std::string>(10, "hold")); }};
    e.until_held(10);
    between.resets_all = true;
    waiting.join();
    REQUIRE(broken.size() == 10);
    for (const auto& r : broken) {
      CHECK(r.code() == code::unavailable);
      CHECK(r.status().message().find("the session with " + between.address + " broke") == 0);
    }
    const auto options = weft::call_options{weft::within{10s}}.wait_for_ready();
    CHECK(e.say_over(session.ordered(1), say("after"), options).ok());
  }

  TEST_CASE(
      "what waits without a key when the stream breaks is sent over the next one; with a key as the session says") {
    for (const auto mode : {weft::on_break::fail, weft::on_break::resend}) {
      CAPTURE(static_cast<int>(mode));
      weft::server_options o;
      o.session_calls = 1;
      ends e{o};
      bad_network between{e.server.port()};
      weft::peer peer{e.client, between.address};
      auto session = peer.session({.on_break = mode});
      CHECK(e.say_over(session.ordered(1), say("before")).ok());  // the window is known
      const weft::call_options patient = weft::call_options{weft::within{20s}}.wait_for_ready();
      outcomes sent;
      outcomes keyed;
      outcomes unkeyed;
      std::thread first{[&] { sent = say_all(e, session.ordered(1), {"hold"}, patient); }};
      e.until_held(1);
      std::thread second{[&] { keyed = say_all(e, session.ordered(1), {"keyed"}, patient); }};
      // The stream is out, and from when it waits the call with the key too. Whenever the other one begins, it ends the same way.
      const auto calls_out = [](ends* e) -> weft::task<std::uint64_t> { co_return e->client.queue().counters().calls; };
      while (e.run(calls_out(&e)) < 2) {
      }
      std::thread third{[&] { unkeyed = say_all(e, session.unordered(), {"unkeyed"}, patient); }};
      between.resets_all = true;
      first.join();
      second.join();
      third.join();
      CHECK(sent.front().code() == code::unavailable);
      CHECK_MESSAGE(unkeyed.front().ok(), unkeyed.front().status());
      CHECK(keyed.front().code() == (mode == weft::on_break::fail ? code::unavailable : code::ok));
    }
  }

  TEST_CASE("while the server cannot be reached calls fail at once, or wait as they say") {
    weft::rpc_runtime rt{{.runtime = {.workers = 1}}};
    weft::peer nobody{rt, "127.0.0.1:1"};
    auto session = nobody.session();
    const auto call = [&](weft::call_options o) {
      return weft::sync_wait(rt, weft::as_task(Echo::client{session.ordered(1)}.Say(say("x"), std::move(o))));
    };
    CHECK(call({}).code() == code::unavailable);
    CHECK(call({}).code() == code::unavailable);
    CHECK(call(weft::call_options{weft::within{100ms}}.wait_for_ready()).code() == code::deadline_exceeded);
    const auto state = session.state();
    CHECK((state == weft::session_state::backing_off || state == weft::session_state::connecting));
  }

  TEST_CASE("a session that goes ends its calls with CANCELLED") {
    ends e;
    auto session = std::make_unique<weft::session>(e.peer->session());
    std::optional<weft::result<EchoReply>> held;
    std::thread waiting{[&held, &e, lane = session->ordered(1)] { held = e.say_over(lane, say("hold")); }};
    e.until_held(1);
    session.reset();
    waiting.join();
    CHECK(held->status() == weft::cancelled("the session is closed"));
  }
}
