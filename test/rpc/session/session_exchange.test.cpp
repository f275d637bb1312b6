// Calls over a session whose peer, or whose server, has middleware.
#include <weft/rpc/session/session_exchange.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/middleware.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/this_call.hpp>

#include "../../support/bound_echo.hpp"
#include "../../support/dice.hpp"
#include "../../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::say;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::incoming;
using weft::outgoing;
using weft::rest_of_call;
using weft::status;
using weft::task;

namespace {

// Remembers what it is told, in order, and the metadata that came along.
class listener final : public Echo::service {
 public:
  using service::service;
  weft::reply<EchoReply> Say(EchoRequest& request) override {
    const auto call = co_await weft::this_call();
    heard.push_back(request.text());
    const auto* trace = call.metadata().find("x-trace");
    traces.push_back(trace != nullptr ? *trace : "");
    EchoReply reply;
    reply.set_text(request.text());
    co_return reply;
  }
  std::vector<std::string> heard;
  std::vector<std::string> traces;
};

// Calls on to `listener`, over a session that forwards metadata.
class relay final : public Echo::service {
 public:
  relay(weft::runtime& rt, weft::session_lane to) : service{rt}, on_{std::move(to)} {}
  weft::reply<EchoReply> Say(EchoRequest& request) override { co_return co_await on_.Say(request); }

 private:
  Echo::client on_;
};

struct ends {
  explicit ends(weft::peer_options p, weft::server_options o = {}, weft::session_options so = {})
      : there{serving, {.mailbox = 10'000}}, server{serving, std::move(o)} {
    server.add(there);
    REQUIRE(server.start().ok());
    peer.emplace(client, server.address(), std::move(p));
    session.emplace(peer->session(std::move(so)));
  }
  ~ends() {
    session.reset();
    server.stop();
    there.stop_and_wait(weft::stop_mode::abort);
  }
  template <class T>
  T run(task<T> t) {
    return weft::sync_wait(client, std::move(t));
  }
  std::vector<std::string> heard() {
    return *weft::sync_wait(serving, weft::as_task(there.call([this] { return there.heard; })));
  }

  weft::rpc_runtime serving{{.runtime = {.log = [](std::string_view) {}}}};
  listener there;
  weft::server server;
  weft::rpc_runtime client{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
  std::optional<weft::peer> peer;
  std::optional<weft::session> session;
};

weft::peer_options through(weft::client_middleware m) {
  weft::peer_options p;
  p.middleware = {std::move(m)};
  return p;
}

using outcomes = std::vector<weft::result<EchoReply>>;

task<outcomes> say_in(Echo::client to, int calls, weft::call_options options, weft::scope& s) {
  std::vector<weft::started<weft::result<EchoReply>>> started;
  for (int i = 0; i < calls; ++i) started.push_back(s.start(to.Say(say(std::to_string(i)), options)));
  outcomes all;
  for (auto& c : started) {
    auto reply = co_await std::move(c);
    all.push_back(std::move(reply));
  }
  co_return all;
}
outcomes say_all(ends& e, const weft::session_lane& lane, int calls, weft::call_options options = {}) {
  return e.run(weft::with_scope(&say_in, Echo::client{lane}, calls, std::move(options)));
}

std::vector<std::string> numbers(int n) {
  std::vector<std::string> all;
  for (int i = 0; i < n; ++i) all.push_back(std::to_string(i));
  return all;
}

weft::server_options behind(weft::server_middleware m) {
  weft::server_options o;
  o.middleware = {std::move(m)};
  return o;
}

// Each call waits as long as the dice say. At either side.
auto dawdle(test::dice* d) {
  return [d](auto&, rest_of_call next) {
    return [](rest_of_call next, test::dice* d) -> task<status> {
      const auto slept = co_await weft::sleep_for(std::chrono::microseconds{d->below(3'000)});
      if (!slept.ok()) co_return slept;
      co_return co_await next();
    }(next, d);
  };
}

// Lets all but the n-th call through.
auto refuse_one(int n) {
  return [n, seen = 0](auto&, rest_of_call next) mutable {
    return [](rest_of_call next, bool refused) -> task<status> {
      if (refused) co_return weft::permission_denied("not this one");
      co_return co_await next();
    }(next, ++seen == n);
  };
}

}  // namespace

TEST_SUITE("session behind middleware") {
  TEST_CASE("middleware sees each call, adds metadata to it and sees its outcome") {
    std::vector<std::string> seen;
    ends e{through([&seen](outgoing& call, rest_of_call next) {
      return [](outgoing& call, rest_of_call next, std::vector<std::string>* seen) -> task<status> {
        call.metadata().add("x-trace", "t" + std::to_string(seen->size()));
        auto s = co_await next();
        seen->push_back(call.method() + (" " + std::string{weft::to_string(s.code())}));
        co_return s;
      }(call, next, &seen);
    })};
    for (const auto& reply : say_all(e, e.session->ordered(7), 1)) REQUIRE_MESSAGE(reply.ok(), reply.status());
    for (const auto& reply : say_all(e, e.session->unordered(), 1)) REQUIRE_MESSAGE(reply.ok(), reply.status());
    e.session.reset();
    e.client.stop();
    CHECK(seen == std::vector<std::string>{"/test.v1.Echo/Say OK", "/test.v1.Echo/Say OK"});
    e.server.stop();
    CHECK(e.there.traces == std::vector<std::string>{"t0", "t1"});
  }

  TEST_CASE("calls of a key keep their order however long each waits in the middleware") {
    test::dice d{1};
    ends e{through(dawdle(&d))};
    for (const auto& reply : say_all(e, e.session->ordered(7), 200)) REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(e.heard() == numbers(200));
  }

  TEST_CASE("calls of a key keep their order where the server has no sessions") {
    test::dice d{2};
    ends e{through(dawdle(&d)), {.sessions = false}};
    for (const auto& reply : say_all(e, e.session->ordered(7), 50)) REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(e.heard() == numbers(50));
  }

  TEST_CASE("calls of a key keep their order however long each waits in the server's middleware") {
    test::dice d{4};
    ends e{{}, behind(dawdle(&d))};
    for (const auto& reply : say_all(e, e.session->ordered(7), 200)) REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(e.heard() == numbers(200));
  }

  TEST_CASE("a call that waits in the server's middleware holds up its key only") {
    weft::event never;
    ends e{{}, behind([&never](incoming& call, rest_of_call next) {
             return [](incoming& call, rest_of_call next, weft::event* never) -> task<status> {
               if (call.metadata().find("x-waits") == nullptr) co_return co_await next();
               const status stopped = co_await never->wait();
               co_return stopped;
             }(call, next, &never);
           })};
    const auto held = e.run(weft::with_scope(
        [](weft::session* session, weft::scope& s) -> task<outcomes> {
          const Echo::client seven{session->ordered(7)};
          auto waits = s.start(seven.Say(say("waits"), weft::call_options{weft::within{1h}}.with("x-waits", "1")));
          auto behind_it = s.start(seven.Say(say("behind it"), weft::within{20ms}));
          for (const auto& lane : {session->ordered(8), session->unordered()}) {
            const auto passes = co_await Echo::client{lane}.Say(say("passes"));
            CHECK_MESSAGE(passes.ok(), passes.status());
          }
          outcomes all;
          auto late = co_await std::move(behind_it);
          all.push_back(std::move(late));
          waits.stop();
          auto stopped = co_await std::move(waits);
          all.push_back(std::move(stopped));
          auto goes_on = co_await seven.Say(say("goes on"));
          all.push_back(std::move(goes_on));
          co_return all;
        },
        &*e.session));
    CHECK(held[0].code() == weft::code::deadline_exceeded);
    CHECK(held[1].code() == weft::code::cancelled);
    CHECK_MESSAGE(held[2].ok(), held[2].status());
    CHECK(e.heard() == std::vector<std::string>{"passes", "passes", "goes on"});
  }

  TEST_CASE("a call that the server's middleware refuses is none that others wait for, and stops a lane without gaps") {
    {
      ends e{{}, behind(refuse_one(3))};
      const auto all = say_all(e, e.session->ordered(7), 5);
      CHECK(all[2].status() == weft::permission_denied("not this one"));
      CHECK(e.heard() == std::vector<std::string>{"0", "1", "3", "4"});
    }
    ends e{{}, behind(refuse_one(3))};
    const auto all = say_all(e, e.session->gapless(7), 5);
    for (const std::size_t i : {3U, 4U}) CHECK(all[i].code() == weft::code::aborted);
    CHECK(e.heard() == numbers(2));
  }

  TEST_CASE(
      "calls of a key that give up in the server's middleware, or in line behind it, let the others on, in order") {
    test::dice d{5};
    ends e{{}, behind(dawdle(&d))};
    std::ignore = say_all(e, e.session->ordered(7), 300, weft::within{15ms});
    const auto number = [](const std::string& text) { return std::stoi(text); };
    CHECK(std::ranges::is_sorted(e.heard(), {}, number));
    for (const auto& reply : say_all(e, e.session->ordered(7), 10)) CHECK_MESSAGE(reply.ok(), reply.status());
  }

  TEST_CASE("calls of a key that give up in the middleware or in the line behind it let the others on, in order") {
    test::dice d{3};
    ends e{through(dawdle(&d))};
    const auto all = say_all(e, e.session->ordered(7), 300, weft::within{15ms});
    std::vector<std::string> answered;
    for (const auto& reply : all) {
      if (reply.ok()) answered.push_back(reply->text());
      if (!reply.ok()) CHECK(reply.code() == weft::code::deadline_exceeded);
    }
    const auto heard = e.heard();
    const auto number = [](const std::string& text) { return std::stoi(text); };
    CHECK(std::ranges::is_sorted(heard, {}, number));
    for (const auto& text : answered) CHECK(std::ranges::find(heard, text) != heard.end());
    for (const auto& reply : say_all(e, e.session->ordered(7), 10)) CHECK_MESSAGE(reply.ok(), reply.status());
  }

  TEST_CASE("a call that the middleware refuses was surely not run, and stops a lane without gaps") {
    ends e{through(refuse_one(3))};
    const auto lane = e.session->gapless(7);
    const auto all = say_all(e, lane, 6);
    CHECK(all[0].ok());
    CHECK(all[1].ok());
    CHECK(all[2].status() == weft::permission_denied("not this one"));
    for (const std::size_t i : {3U, 4U, 5U}) CHECK(all[i].code() == weft::code::aborted);
    CHECK(e.heard() == numbers(2));
    bool may_have_run = true;
    const auto refused = e.run(
        weft::as_task(Echo::client{lane}.Say(say("again"), weft::call_options{}.may_have_run_into(may_have_run))));
    CHECK(refused.code() == weft::code::aborted);
    CHECK_FALSE(may_have_run);
  }

  TEST_CASE("metadata that the peer forwards travels over the session") {
    weft::peer_options forwarding;
    forwarding.forward = {"x-trace"};
    ends e{std::move(forwarding)};
    relay between{e.client, e.session->ordered(1)};
    weft::server front{e.client};
    front.add(between);
    REQUIRE(front.start().ok());
    weft::rpc_runtime outer;
    weft::peer peer{outer, front.address()};
    const auto reply = weft::sync_wait(
        outer, weft::as_task(Echo::client{peer}.Say(say("hi"), weft::call_options{}.with("x-trace", "abc"))));
    REQUIRE_MESSAGE(reply.ok(), reply.status());
    front.stop();
    between.stop_and_wait(weft::stop_mode::abort);
    e.session.reset();
    e.server.stop();
    CHECK(e.there.traces == std::vector<std::string>{"abc"});
  }
}
