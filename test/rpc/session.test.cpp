// What a session promises beyond what every call does, which conformance.test.cpp shows.
#include <weft/rpc/session.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/session_ends.hpp"
#include "test/v1/echo.weft.hpp"

using namespace std::chrono_literals;
using test::ends;
using test::how_many;
using test::listener;
using test::numbers;
using test::outcomes;
using test::say;
using test::say_all;
using test::say_in;
using test::v1::Echo;
using weft::code;

TEST_SUITE("session") {
  TEST_CASE("calls of one key are run in the order in which they were started") {
    for (const int worker : {0, 1}) {
      CAPTURE(worker);
      weft::service_options o;
      o.worker = worker;
      ends e{{}, {}, {}, o};
      const auto texts = numbers(5'000);
      const auto replies = say_all(e, e.session->ordered("anna"), texts);
      for (std::size_t i = 0; i < texts.size(); ++i) REQUIRE(replies[i]->text() == texts[i]);
      CHECK(e.heard() == texts);
      CHECK(e.session->state() == weft::session_state::open);
    }
  }

  TEST_CASE("a caller on another worker keeps its order too") {
    ends e;
    weft::strand elsewhere{e.client, {.name = "elsewhere", .worker = 1}};
    std::atomic<bool> done{false};
    const auto texts = numbers(2'000);
    outcomes replies;
    struct caller {
      static weft::task<> run(Echo::client to, std::vector<std::string> texts, outcomes* replies,
                              std::atomic<bool>* done) {
        *replies = co_await weft::with_scope(&say_in, to, std::move(texts), weft::call_options{});
        *done = true;
        done->notify_one();
      }
    };
    REQUIRE(
        weft::spawn(elsewhere, "caller", &caller::run, Echo::client{e.session->ordered(5)}, texts, &replies, &done));
    done.wait(false);
    for (const auto& r : replies) REQUIRE_MESSAGE(r.ok(), r.status());
    CHECK(e.heard() == texts);
  }

  TEST_CASE("between workers that spin calls one at a time are answered, and end as they do elsewhere") {
    ends e{{}, {}, {}, {}, 50us};
    const auto lane = e.session->ordered(7);
    std::vector<std::string> said;
    for (int i = 0; i < 1'000; ++i) {
      said.push_back(std::to_string(i));
      const auto reply = e.say_over(lane, say(said.back()));
      REQUIRE(reply.ok());
      CHECK(reply->text() == said.back());
    }
    CHECK(e.heard() == said);
    CHECK(e.say_over(lane, say("hold"), weft::within{50ms}).code() == weft::code::deadline_exceeded);
    CHECK(e.say_over(lane, say("after it")).ok());
    e.server.stop();
    CHECK(e.say_over(lane, say("nobody")).code() == weft::code::unavailable);
    e.client.stop();
    CHECK(e.client.queue().counters().started == e.client.queue().counters().ended);
  }

  TEST_CASE("a slow call holds up nobody else's reply") {
    ends e;
    const auto replies = e.run(weft::with_scope(
        [](ends* e, weft::scope& s) -> weft::task<int> {
          const Echo::client to{e->session->ordered(1)};
          auto slow = s.start(to.Say(say("hold")));
          int answered = 0;
          for (int i = 0; i < 100; ++i) {
            const auto reply = co_await to.Say(say("quick"));
            if (reply.ok()) ++answered;
          }
          co_return answered;
        },
        &e));
    CHECK(replies == 100);
    e.let_go();
  }

  TEST_CASE("calls beyond the server's window wait for it, and all are answered") {
    weft::server_options o;
    o.session_calls = 1;  // the first 64 are always taken
    ends e{o};
    const auto replies = say_all(e, e.session->ordered(1), numbers(1'000));
    for (const auto& r : replies) REQUIRE_MESSAGE(r.ok(), r.status());
    CHECK(e.heard() == numbers(1'000));
  }

  TEST_CASE("a request larger than the window goes alone") {
    weft::server_options o;
    o.session_bytes = 1'000;
    ends e{o};
    auto large = say("large");
    large.set_payload(std::string(1'000'000, 'x'));
    for (int i = 0; i < 3; ++i) CHECK(e.say_over(e.session->ordered(1), large)->payload().size() == 1'000'000);
  }

  TEST_CASE("a request that the server would not read fails alone, and says how large it is") {
    ends e;
    CHECK(e.say_over(e.session->ordered(1), say("first")).ok());
    auto large = say("large");
    large.set_payload(std::string(5'000'000, 'x'));
    const auto refused = e.say_over(e.session->ordered(1), large);
    CHECK(refused.code() == code::resource_exhausted);
    CHECK(refused.status().message().find("and the other side takes 4194304") != std::string::npos);
    CHECK(e.say_over(e.session->ordered(1), say("next")).ok());
  }

  TEST_CASE("more calls than may wait are refused") {
    weft::server_options o;
    o.session_calls = 1;
    weft::session_options so;
    so.waiting = 10;
    ends e{o, so};
    const auto replies = say_all(e, e.session->ordered(1), numbers(1'000));
    CHECK(how_many(replies, code::ok) >= 10);
    CHECK(how_many(replies, code::resource_exhausted) > 0);
    CHECK(how_many(replies, code::ok) + how_many(replies, code::resource_exhausted) == 1'000);
    CHECK(e.heard().size() == how_many(replies, code::ok));
  }

  TEST_CASE("a call's deadline passes without ending the session") {
    ends e;
    const auto lane = e.session->ordered(1);
    const auto late = e.say_over(lane, say("hold"), weft::within{50ms});
    CHECK(late.status() == weft::deadline_exceeded("/test.v1.Echo/Say took too long"));
    CHECK(e.say_over(lane, say("next")).ok());
    e.inside([&e] { return e.there.held; });
    CHECK(e.session->state() == weft::session_state::open);
  }

  TEST_CASE("a server without sessions gets unary calls, in the order of their keys") {
    weft::server_options o;
    o.sessions = false;
    ends e{o};
    const auto texts = numbers(200);
    const auto replies = say_all(e, e.session->ordered(1), texts);
    CHECK(how_many(replies, code::ok) == 200);
    CHECK(e.heard() == texts);
    CHECK(e.session->state() == weft::session_state::unary);
    CHECK(how_many(say_all(e, e.session->unordered(), numbers(100)), code::ok) == 100);
  }

  TEST_CASE("without a fallback a server without sessions is UNIMPLEMENTED") {
    weft::server_options o;
    o.sessions = false;
    weft::session_options so;
    so.fall_back_to_unary = false;
    ends e{o, so};
    CHECK(e.say_over(e.session->ordered(1), say("x")).code() == code::unimplemented);
  }

  TEST_CASE("the server calls a service that the client offers on its session") {
    weft::rpc_runtime rt{{.runtime = {.workers = 2}}};
    listener gate{rt};
    listener far{rt};
    weft::server server{rt};
    server.add(far);
    REQUIRE(server.start().ok());
    weft::peer peer{rt, server.address()};
    {
      auto session = peer.session({.offers = {&gate}});
      auto ask = say("call back");
      auto reply = weft::sync_wait(rt, weft::as_task(Echo::client{session.ordered(1)}.Say(ask)));
      REQUIRE_MESSAGE(reply.ok(), reply.status());
      CHECK(reply->text() == "from the server");
      CHECK(*weft::sync_wait(rt, weft::as_task(gate.call([&] { return gate.heard.size(); }))) == 1);
      // By a unary call there is nothing to call back.
      reply = weft::sync_wait(rt, weft::as_task(Echo::client{peer}.Say(ask)));
      CHECK(reply.code() == code::failed_precondition);
    }
    server.stop();
    far.stop_and_wait();
    gate.stop_and_wait();
  }

  TEST_CASE("a client that offers nothing is told so by the server's call") {
    ends e;
    const auto reply = e.say_over(e.session->ordered(1), say("call back"), weft::within{200ms});
    CHECK(!reply.ok());
    CHECK(e.say_over(e.session->ordered(1), say("next")).ok());
  }

  TEST_CASE("who calls is found out from the session's metadata, and each call is checked by the policy") {
    weft::server_options o;
    o.authenticate = weft::bearer_tokens({{"t0ken", "anna"}});
    o.policy.allow("/test.v1.Echo/Say", {"anna"});
    ends e{o, {}, {.metadata = weft::metadata{}.add("authorization", "Bearer t0ken")}};
    const auto known = e.say_over(e.session->ordered(1), say("x"));
    REQUIRE_MESSAGE(known.ok(), known.status());
    CHECK(known->identity() == "anna");
    test::v1::FailRequest fail;
    const auto denied = e.run(weft::as_task(Echo::client{*e.session}.Fail(fail)));
    CHECK(denied.code() == code::permission_denied);
    weft::peer stranger{e.client, e.server.address()};
    auto strange = stranger.session();
    CHECK(e.say_over(strange.ordered(1), say("x")).code() == code::unauthenticated);
  }

  TEST_CASE("methods that stream are calls of their own beside the session") {
    weft::rpc_runtime rt{{.runtime = {.workers = 1}}};
    test::echo_service echo{rt};
    weft::server server{rt};
    server.add(echo);
    REQUIRE(server.start().ok());
    {
      weft::peer peer{rt, server.address()};
      auto session = peer.session();
      const auto read = weft::sync_wait(rt, [](Echo::client to) -> weft::task<int> {
        test::v1::RepeatRequest request;
        request.set_text("x");
        request.set_times(3);
        auto feed = to.Repeat(std::move(request));
        int n = 0;
        for (auto m = co_await feed.read(); m; m = co_await feed.read()) ++n;
        std::ignore = co_await feed.finish();
        co_return n;
      }(Echo::client{session.ordered(1)}));
      CHECK(read == 3);
    }
    server.stop();
    echo.stop_and_wait();
  }
}
