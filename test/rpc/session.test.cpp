// What a session promises beyond what every call does, which conformance.test.cpp shows.
#include <weft/rpc/session.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/access.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/this_call.hpp>

#include "../support/bad_network.hpp"
#include "../support/bound_echo.hpp"
#include "test/v1/echo.weft.hpp"

using namespace std::chrono_literals;
using test::bad_network;
using test::say;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::code;

namespace {

// Remembers what it is told, in order. "hold" waits until it is let go.
class listener final : public Echo::service {
 public:
  using service::service;

  weft::reply<EchoReply> Say(EchoRequest& request) override {
    heard.push_back(request.text());
    if (request.delay_us() != 0) {
      const auto slept = co_await weft::sleep_for(std::chrono::microseconds{request.delay_us()});
      if (!slept.ok()) co_return slept;
    }
    if (request.text() == "hold") {
      ++held;
      const auto waited = co_await let_go.wait();
      if (!waited.ok()) co_return waited;
    }
    if (request.text() == "call back") {
      const auto call = co_await weft::this_call();
      const Echo::client back{weft::caller_session(call)};
      co_return co_await back.Say(say("from the server"));
    }
    EchoReply reply;
    reply.set_text(request.text());
    const auto call = co_await weft::this_call();
    reply.set_identity(call.identity());
    reply.mutable_payload()->swap(*request.mutable_payload());
    co_return reply;
  }

  std::vector<std::string> heard;
  int held = 0;
  weft::event let_go;
};

// A server and a client, each with a runtime of its own.
struct ends {
  explicit ends(weft::server_options o = {}, weft::session_options so = {}, weft::peer_options p = {},
                weft::service_options s = {})
      : there{serving, roomy(s)}, server{serving, std::move(o)} {
    server.add(there);
    const auto started = server.start();
    REQUIRE_MESSAGE(started.ok(), started);
    peer.emplace(client, server.address(), p);
    session.emplace(peer->session(std::move(so)));
  }
  ~ends() {
    session.reset();
    server.stop();
    there.stop_and_wait(weft::stop_mode::abort);
  }

  template <class T>
  T run(weft::task<T> t) {
    return weft::sync_wait(client, std::move(t));
  }
  weft::result<EchoReply> say_over(const weft::session_lane& lane, EchoRequest request,
                                   weft::call_options options = {}) {
    return run(weft::as_task(Echo::client{lane}.Say(std::move(request), std::move(options))));
  }
  template <class F>
  auto inside(F f) {
    return *weft::sync_wait(serving, weft::as_task(there.call(std::move(f))));
  }
  std::vector<std::string> heard() {
    return inside([this] { return there.heard; });
  }
  void until_held(int calls) {
    while (inside([this] { return there.held; }) < calls) std::this_thread::yield();
  }
  void let_go() {
    inside([this] { there.let_go.set(); });
  }

  static weft::service_options roomy(weft::service_options s) {
    s.mailbox = 10'000;
    return s;
  }

  weft::rpc_runtime serving{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
  listener there;
  weft::server server;
  weft::rpc_runtime client{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
  std::optional<weft::peer> peer;
  std::optional<weft::session> session;
};

using outcomes = std::vector<weft::result<EchoReply>>;

// Starts calls, one for each text, in this order and without waiting between them; all their outcomes.
weft::task<outcomes> say_in(Echo::client to, std::vector<std::string> texts, weft::call_options options,
                            weft::scope& s) {
  std::vector<weft::started<weft::result<EchoReply>>> calls;
  for (auto& text : texts) calls.push_back(s.start(to.Say(say(std::move(text)), options)));
  outcomes all;
  for (auto& c : calls) {
    auto reply = co_await std::move(c);
    all.push_back(std::move(reply));
  }
  co_return all;
}
outcomes say_all(ends& e, const weft::session_lane& lane, std::vector<std::string> texts,
                 weft::call_options options = {}) {
  return e.run(weft::with_scope(&say_in, Echo::client{lane}, std::move(texts), std::move(options)));
}
std::size_t count(const outcomes& all, code c) {
  return static_cast<std::size_t>(std::ranges::count(all, c, [](const auto& r) { return r.code(); }));
}

std::vector<std::string> numbers(int n) {
  std::vector<std::string> texts;
  for (int i = 0; i < n; ++i) texts.push_back(std::to_string(i));
  return texts;
}

}  // namespace

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
    CHECK(count(replies, code::ok) >= 10);
    CHECK(count(replies, code::resource_exhausted) > 0);
    CHECK(count(replies, code::ok) + count(replies, code::resource_exhausted) == 1'000);
    CHECK(e.heard().size() == count(replies, code::ok));
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
    CHECK(count(replies, code::ok) == 200);
    CHECK(e.heard() == texts);
    CHECK(e.session->state() == weft::session_state::unary);
    CHECK(count(say_all(e, e.session->unordered(), numbers(100)), code::ok) == 100);
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

  TEST_CASE("a lane without gaps stops at the first call that does not run, until it is resumed") {
    weft::service_options exclusive;
    exclusive.reentrancy = weft::reentrancy::exclusive;
    ends e{{}, {}, {}, exclusive};
    const auto lane = e.session->gapless(9);
    const auto replies = e.run(weft::with_scope(
        [](ends* e, weft::session_lane lane, weft::scope& s) -> weft::task<outcomes> {
          const Echo::client to{lane};
          const weft::call_options soon{weft::within{50ms}};
          auto first = s.start(to.Say(say("hold")));
          auto second = s.start(to.Say(say("too late"), soon));  // passes while it waits for the first
          auto third = s.start(to.Say(say("behind")));
          outcomes all;
          auto reply = co_await std::move(second);
          all.push_back(std::move(reply));
          std::ignore = e->serving.control().try_post([e] { e->there.let_go.set(); });
          reply = co_await std::move(first);
          all.push_back(std::move(reply));
          reply = co_await std::move(third);
          all.push_back(std::move(reply));
          reply = co_await to.Say(say("after"));
          all.push_back(std::move(reply));
          lane.resume();
          reply = co_await to.Say(say("anew"));
          all.push_back(std::move(reply));
          co_return all;
        },
        &e, lane));
    CHECK(replies[0].code() == code::deadline_exceeded);
    CHECK(replies[1].ok());
    CHECK(replies[2].code() == code::aborted);
    CHECK(replies[3].code() == code::aborted);
    CHECK(replies[4].ok());
    CHECK(e.heard() == std::vector<std::string>{"hold", "anew"});
  }

  TEST_CASE("a lane without gaps stops at a call that is refused before it leaves, on whichever worker") {
    // Each refused in another way: too large, with metadata that cannot be sent, with a deadline that is over.
    struct caller {
      static weft::task<> run(weft::session_lane lane, int way, std::vector<code>* seen, std::atomic<bool>* done) {
        const Echo::client to{lane};
        auto request = say("refused");
        weft::call_options options;
        if (way == 0) request.set_payload(std::string(5'000'000, 'x'));
        if (way == 1) options = std::move(options).with("bad key", "x");
        if (way == 2) options = weft::within{0s};
        auto reply = co_await to.Say(say("first"));
        seen->push_back(reply.code());
        reply = co_await to.Say(std::move(request), std::move(options));
        seen->push_back(reply.code());
        reply = co_await to.Say(say("behind"));
        seen->push_back(reply.code());
        lane.resume();
        reply = co_await to.Say(say("anew"));
        seen->push_back(reply.code());
        *done = true;
        done->notify_one();
      }
    };
    ends e;
    std::uint64_t key = 1;
    for (const int worker : {0, 1}) {
      for (const int way : {0, 1, 2}) {
        CAPTURE(worker);
        CAPTURE(way);
        weft::strand there{e.client, {.name = "caller", .worker = worker}};
        std::vector<code> seen;
        std::atomic<bool> done{false};
        REQUIRE(weft::spawn(there, "caller", &caller::run, e.session->gapless(key++), way, &seen, &done));
        done.wait(false);
        const code refusals[]{code::resource_exhausted, code::invalid_argument, code::deadline_exceeded};
        CHECK(seen == std::vector<code>{code::ok, refusals[way], code::aborted, code::ok});
      }
    }
  }

  TEST_CASE("a lane without gaps stops behind a call that is given up while it waits, wherever it waits") {
    // For the server's window, for its predecessor at the server, for its predecessor at the client of a server without sessions.
    for (const int way : {0, 1, 2}) {
      CAPTURE(way);
      weft::server_options o;
      if (way == 0) o.session_calls = 1;
      if (way == 2) o.sessions = false;
      ends e{std::move(o)};
      const auto lane = e.session->gapless(9);
      REQUIRE(e.say_over(lane, say("before")).ok());  // the window is known
      const auto seen = e.run(weft::with_scope(
          [](ends* e, int way, weft::session_lane lane, weft::scope& s) -> weft::task<std::vector<code>> {
            const Echo::client to{lane};
            const weft::call_options soon{weft::within{50ms}};
            auto hold = way == 0 ? s.start(Echo::client{*e->session}.Say(say("hold"))) : s.start(to.Say(say("hold")));
            auto ahead = s.start(to.Say(say("ahead")));
            auto given_up = s.start(to.Say(say("given up"), soon));
            auto behind = s.start(to.Say(say("behind")));
            std::vector<code> seen;
            auto reply = co_await std::move(given_up);
            seen.push_back(reply.code());
            std::ignore = e->serving.control().try_post([e] { e->there.let_go.set(); });
            reply = co_await std::move(hold);
            seen.push_back(reply.code());
            reply = co_await std::move(ahead);
            seen.push_back(reply.code());
            reply = co_await std::move(behind);
            seen.push_back(reply.code());
            reply = co_await to.Say(say("later"));
            seen.push_back(reply.code());
            lane.resume();
            reply = co_await to.Say(say("anew"));
            seen.push_back(reply.code());
            co_return seen;
          },
          &e, way, lane));
      CHECK(seen ==
            std::vector<code>{code::deadline_exceeded, code::ok, code::ok, code::aborted, code::aborted, code::ok});
      CHECK(e.heard() == std::vector<std::string>{"before", "hold", "ahead", "anew"});
    }
  }

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
