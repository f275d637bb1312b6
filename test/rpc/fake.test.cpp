#include <doctest/doctest.h>
#include <test/v1/echo.weft.fake.hpp>

#include <chrono>
#include <string>
#include <weft/runtime/event.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/test/world.hpp>

using namespace std::chrono_literals;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::test::world;

namespace {

EchoRequest request(const char* text) {
  EchoRequest r;
  r.set_text(text);
  return r;
}

EchoReply reply(const char* text) {
  EchoReply r;
  r.set_text(text);
  return r;
}

weft::reply<std::string> say(const Echo::client* echo, const char* text) {
  auto answer = co_await echo->Say(request(text));
  if (!answer.ok()) co_return answer.status();
  co_return answer->text();
}

weft::reply<std::string> say_within(const Echo::client* echo, weft::duration limit) {
  auto answer = co_await echo->Say(request("hello"), weft::within{limit});
  if (!answer.ok()) co_return answer.status();
  co_return answer->text();
}

}  // namespace

TEST_SUITE("fake") {
  TEST_CASE("a fake returns what it was told to, to a client that binds to it like to a service") {
    world w;
    Echo::fake echo{w};
    Echo::client client{echo};
    echo.Say.returns(reply("hi"));
    CHECK(client.local());
    CHECK(*w.run(say(&client, "one")) == "hi");
    CHECK(*w.run(say(&client, "two")) == "hi");
    REQUIRE(echo.Say.calls().size() == 2);
    CHECK(echo.Say.calls()[0].text() == "one");
    CHECK(echo.Say.calls()[1].text() == "two");
  }

  TEST_CASE("a method without a script answers UNIMPLEMENTED and names itself") {
    world w;
    Echo::fake echo{w};
    Echo::client client{echo};
    const auto outcome = w.run(say(&client, "one"));
    CHECK(outcome.status().code() == weft::code::unimplemented);
    CHECK(outcome.status().message() == "the fake of /test.v1.Echo/Say has no script");
    CHECK(echo.Say.calls().size() == 1);
  }

  TEST_CASE("a fake fails, or makes its answer of the request") {
    world w;
    Echo::fake echo{w};
    Echo::client client{echo};
    echo.Say.fails(weft::unavailable("closed"));
    CHECK(w.run(say(&client, "one")).status() == weft::unavailable("closed"));
    echo.Say.answers([](const EchoRequest& asked) -> weft::result<EchoReply> {
      if (asked.text().empty()) return weft::invalid_argument("say something");
      return reply((asked.text() + "!").c_str());
    });
    CHECK(*w.run(say(&client, "one")) == "one!");
    CHECK(w.run(say(&client, "")).status() == weft::invalid_argument("say something"));
  }

  TEST_CASE("once goes before what holds for all calls, in its order") {
    world w;
    Echo::fake echo{w};
    Echo::client client{echo};
    echo.Say.returns(reply("at last"));
    echo.Say.once().fails(weft::unavailable("starting"));
    echo.Say.once().returns(reply("nearly"));
    CHECK(w.run(say(&client, "")).status() == weft::unavailable("starting"));
    CHECK(*w.run(say(&client, "")) == "nearly");
    CHECK(*w.run(say(&client, "")) == "at last");
    CHECK(*w.run(say(&client, "")) == "at last");
  }

  TEST_CASE("a fake's delay takes virtual time, and a deadline may pass in it") {
    world w;
    Echo::fake echo{w};
    Echo::client client{echo};
    echo.Say.delays(50ms).returns(reply("late"));
    const auto begin = w.now();
    CHECK(*w.run(say_within(&client, 1s)) == "late");
    CHECK(w.now() - begin == 50ms);
    CHECK(w.run(say_within(&client, 20ms)).status().code() == weft::code::deadline_exceeded);
  }

  TEST_CASE("a fake hangs until the caller's deadline, and can be scripted anew and destroyed then") {
    world w;
    Echo::fake echo{w};
    Echo::client client{echo};
    echo.Say.hangs();
    const auto begin = w.now();
    CHECK(w.run(say_within(&client, 3s)).status().code() == weft::code::deadline_exceeded);
    CHECK(w.now() - begin == 3s);
    echo.Say.returns(reply("awake"));
    CHECK(*w.run(say(&client, "")) == "awake");
    echo.Say.hangs();
    static_cast<void>(w.run([](const Echo::client* c) -> weft::task<weft::status> {
      co_return c->send.Say(request("never answered"), weft::within{weft::duration::max()});
    }(&client)));
    w.settle();
  }
}
