// Middleware of a peer. What both sides have in common under races is in middleware.test.cpp.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/middleware.hpp"
#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using namespace test::around;
using test::two_sides;
using test::v1::Echo;
using weft::code;
using weft::outgoing;
using weft::rest_of_call;
using weft::status;
using weft::task;

TEST_SUITE("client middleware") {
  TEST_CASE("layers stand around the call, the outermost first, and see its outcome") {
    journal j;
    two_sides f{{}, calling({note_outgoing(&j, "outer"), note_outgoing(&j, "inner")})};
    REQUIRE(f.say("hi").ok());
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"fail"})) == weft::aborted("as asked"));
    f.client.stop();
    CHECK(j.lines == std::vector<std::string>{"outer before /test.v1.Echo/Say", "inner before /test.v1.Echo/Say",
                                              "inner after OK", "outer after OK", "outer before /test.v1.Echo/Talk",
                                              "inner before /test.v1.Echo/Talk", "inner after ABORTED",
                                              "outer after ABORTED"});
  }

  TEST_CASE("a call that is refused is not sent") {
    two_sides f{{}, calling({&refuse<outgoing>})};
    CHECK(f.say("hi").status() == weft::permission_denied("not today"));
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"hi"})) == weft::permission_denied("not today"));
    f.server.stop();
    CHECK(f.server.counters().calls == 0);
  }

  TEST_CASE("it adds metadata, shortens the time, and sees the metadata of the reply") {
    std::string came;
    const auto add = [&came](outgoing& call, rest_of_call next) {
      return [](outgoing& call, rest_of_call next, std::string* came) -> task<status> {
        call.metadata().add("x-header", "from " + call.peer().substr(0, 4));
        const auto& home = *weft::worker::current();
        call.limit(home.now() + 1s);
        auto s = co_await next();
        if (const auto* header = call.headers().find("x-header")) *came = *header;
        co_return s;
      }(call, next, &came);
    };
    two_sides f{{}, calling({add})};
    weft::metadata headers;
    const auto reply = f.say("hi", weft::call_options{weft::within{1h}}.headers_into(headers));
    REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(reply->left_us() < 1'100'000);  // gRPC rounds a timeout up on its way
    REQUIRE(headers.find("x-header") != nullptr);
    CHECK(*headers.find("x-header") == "from 127.");
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"hi"})).ok());
    f.client.stop();
    CHECK(came == "from 127.");
  }

  TEST_CASE("one that throws, forgets the rest, hushes an error or repeats ends its call, and no more") {
    const auto outcome = [](weft::client_middleware m, const std::string& text) {
      two_sides f{{}, calling({std::move(m)})};
      const auto stream = weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"fail"}));
      CHECK(stream.code() != code::ok);
      return f.say(text).status();
    };
    CHECK(outcome(&fail<outgoing>, "hi") == weft::unknown_error("the middleware failed"));
    CHECK(outcome(&forget<outgoing>, "hi").code() == code::internal);
    CHECK(outcome(&hush<outgoing>, "\xff").code() == code::internal);
    CHECK(outcome(&repeat<outgoing>, "hi").code() == code::internal);
    CHECK(outcome(&change_code<outgoing>, "\xff").code() == code::not_found);
  }

  TEST_CASE("metadata that cannot be sent fail the call, which names the key") {
    const auto add = [](outgoing& call, rest_of_call next) -> task<status> {
      call.metadata().add("two words", "x");
      co_return co_await next();
    };
    two_sides f{{}, calling({add})};
    CHECK(f.say("hi").status() ==
          weft::invalid_argument("metadata key 'two words': letters, digits, '_', '-' and '.' only"));
  }

  TEST_CASE("when the caller gives up, one that waits is stopped") {
    journal j;
    {
      two_sides f{{}, calling({with(&waiting<outgoing>, &j)})};
      const auto reply =
          weft::sync_wait(f.client, weft::with_timeout(20ms, say_within(Echo::client{*f.peer}, saying("hi"), 1h)));
      CHECK(reply.code() == code::deadline_exceeded);
      until(j.ended, 1);
      CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {}, nullptr, 20ms)).code() ==
            code::deadline_exceeded);
      CHECK(f.say("hi", weft::within{20ms}).status() == weft::deadline_exceeded("/test.v1.Echo/Say took too long"));
    }
    CHECK(j.ended == 3);
    CHECK(j.outcome.code() == code::cancelled);
  }

  TEST_CASE("a call that is made again is seen once") {
    journal j;
    weft::peer_options options = calling({note_outgoing(&j, "a")});
    options.retries = {{.attempts = 3, .first_backoff = 1ms}};
    weft::rpc_runtime rt;
    weft::peer nowhere{rt, "127.0.0.1:1", options};
    const auto reply = weft::sync_wait(rt, say_within(Echo::client{nowhere}, saying("hi"), 5s));
    CHECK(reply.code() == code::unavailable);
    rt.stop();
    CHECK(j.lines.size() == 2);
  }

  TEST_CASE("a runtime that ends stops what waits") {
    journal j;
    two_sides f{{}, calling({with(&waiting<outgoing>, &j)})};
    for (const int worker : {0, 1}) {
      weft::visit(f.client.worker_at(worker),
                  [&] { CHECK(Echo::client{*f.peer}.send.Say(saying("hi"), weft::within{1h}).ok()); });
    }
    until(j.begun, 2);
    f.client.stop();
    CHECK(j.ended == 2);
    CHECK(j.outcome.code() == code::cancelled);
  }

  TEST_CASE("a one-way call passes through it too") {
    journal j;
    two_sides f{{}, calling({with(&watched<outgoing>, &j)})};
    weft::visit(f.client.worker_at(1), [&] { CHECK(Echo::client{*f.peer}.send.Say(saying("hi")).ok()); });
    until(j.ended, 1);
  }
}
