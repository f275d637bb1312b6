#include <doctest/doctest.h>

#include <string>
#include <weft/rpc/access.hpp>

#include "../support/two_sides.hpp"

using test::two_sides;
using weft::code;

namespace {

const std::string secret = "s3cret-of-gate";

weft::call_options as(const std::string& token) {
  return weft::call_options{}.with("authorization", "Bearer " + token);
}

}  // namespace

TEST_SUITE("access policy") {
  TEST_CASE("what is not allowed is refused, to known callers and to unknown ones") {
    weft::access_policy policy;
    policy.allow("/lobby.v1.Chat/*", {"gate", "admin"})
        .allow("/lobby.v1.Cards/Look")
        .allow_all("/lobby.v1.Health/Check");
    CHECK(policy.check("/lobby.v1.Chat/Say", "gate").ok());
    CHECK(policy.check("/lobby.v1.Chat/Say", "chess") ==
          weft::permission_denied("'chess' may not call /lobby.v1.Chat/Say"));
    CHECK(policy.check("/lobby.v1.Chat/Say", "") ==
          weft::status{code::unauthenticated, "/lobby.v1.Chat/Say is for known callers only"});
    CHECK(policy.check("/lobby.v1.Cards/Look", "anybody").ok());
    CHECK(policy.check("/lobby.v1.Cards/Look", "").code() == code::unauthenticated);
    CHECK(policy.check("/lobby.v1.Cards/Play", "gate").code() == code::permission_denied);
    CHECK(policy.check("/lobby.v1.Health/Check", "").ok());
    CHECK(policy.check("/lobby.v1.ChatAdmin/Mute", "gate").code() == code::permission_denied);
  }

  TEST_CASE("a rule that speaks of no method of the server is named, and the server does not start") {
    weft::rpc_runtime rt;
    test::echo_service service{rt};
    weft::access_policy policy;
    policy.allow("/test.v1.Echo/*").allow("/test.v1.Ehco/Say");
    weft::server server{rt, {.policy = policy}};
    server.add(service);
    CHECK(server.start() ==
          weft::invalid_argument("access policy: '/test.v1.Ehco/Say' is no method of this server, nor a "
                                 "service's \"/name/*\""));
    service.stop_and_wait();
  }
}

TEST_SUITE("who calls") {
  TEST_CASE("bearer tokens are checked before the request is decoded, and never shown") {
    weft::access_policy policy;
    policy.allow("/test.v1.Echo/*", {"gate"});
    two_sides f{{.authenticate = weft::bearer_tokens({{secret, "gate"}, {"other", "chess"}}), .policy = policy}};

    const auto let_in = f.say("hi", as(secret));
    REQUIRE_MESSAGE(let_in.ok(), let_in.status());
    CHECK(let_in->identity() == "gate");

    CHECK(f.say("hi").status() == weft::status{code::unauthenticated, "the call has no 'authorization'"});
    CHECK(f.say("hi", as(secret + "x")).status() == weft::status{code::unauthenticated, "the token is not known"});
    CHECK(f.say("hi", as("other")).status() == weft::permission_denied("'chess' may not call /test.v1.Echo/Say"));
    CHECK(f.say("hi", weft::call_options{}.with("authorization", "Basic x")).code() == code::unauthenticated);
    CHECK(f.say("\xff", as("wrong")).code() == code::unauthenticated);
    CHECK(f.say("\xff", as(secret)).code() == code::invalid_argument);

    const auto stream = weft::sync_wait(f.client, [](test::v1::Echo::client echo) -> weft::task<weft::status> {
      auto talk = echo.Talk();
      co_return co_await talk.finish();
    }(test::v1::Echo::client{*f.peer}));
    CHECK(stream.code() == code::unauthenticated);

    f.server.stop();
    CHECK(f.server.counters().denied == 6);
    CHECK(f.server.counters().malformed == 1);
    CHECK(f.service.begun == 1);
    CHECK(f.log().find(secret) == std::string::npos);
  }

  TEST_CASE("a peer's own metadata authenticate all its calls, streams too") {
    weft::access_policy policy;
    policy.allow("*");
    two_sides f{{.authenticate = weft::bearer_tokens({{secret, "gate"}}), .policy = policy},
                {.metadata = weft::metadata{}.add("authorization", "Bearer " + secret)}};
    CHECK(f.say("hi").ok());
    const auto stream = weft::sync_wait(f.client, [](test::v1::Echo::client echo) -> weft::task<weft::status> {
      auto talk = echo.Talk();
      co_return co_await talk.finish();
    }(test::v1::Echo::client{*f.peer}));
    CHECK(stream.ok());
  }

  TEST_CASE("an authenticator that throws lets nobody in") {
    two_sides f{
        {.authenticate = [](const weft::caller&) -> weft::result<std::string> { throw std::runtime_error{"x"}; }}};
    CHECK(f.say("hi").status() == weft::status{code::unauthenticated, "the authenticator failed"});
    two_sides g{{.authenticate = [](const weft::caller&) -> weft::result<std::string> { throw 1; }}};
    CHECK(g.say("hi").status() == weft::status{code::unauthenticated, "the authenticator failed"});
  }
}
