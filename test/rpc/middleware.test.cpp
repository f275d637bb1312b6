#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/middleware.hpp>
#include <weft/runtime/log.hpp>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/dice.hpp"
#include "../support/faults.hpp"
#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::two_sides;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::code;
using weft::incoming;
using weft::outgoing;
using weft::rest_of_call;
using weft::status;
using weft::task;

namespace {

// What layers of middleware saw, in order. Of the polling worker; looked at after the stop, or by `visit`.
struct journal {
  std::vector<std::string> lines;
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
  status outcome;
};

template <class Call>
task<status> noted(Call& call, rest_of_call next, journal* j, const char* name) {
  j->lines.push_back(std::string{name} + " before " + call.method());
  auto s = co_await next();
  j->lines.push_back(std::string{name} + " after " + std::string{weft::to_string(s.code())});
  co_return s;
}

// Counts itself in and out, however it ends.
struct counted {
  explicit counted(journal* j) : to{j} { ++to->begun; }
  ~counted() { ++to->ended; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  journal* to;
};

template <class Call>
task<status> watched(Call&, rest_of_call next, journal* j) {
  const counted here{j};
  auto s = co_await next();
  j->outcome = s;
  co_return s;
}

// Waits before the call for as long as it may.
template <class Call>
task<status> waiting(Call&, rest_of_call next, journal* j) {
  const counted here{j};
  j->outcome = co_await weft::sleep_for(1h);
  co_return co_await next();
}

// As a middleware of either side.
template <class F, class... Args>
auto with(F f, Args... args) {
  return [f, args...](auto& call, rest_of_call next) { return f(call, next, args...); };
}
weft::server_options serving(std::vector<weft::server_middleware> m) {
  weft::server_options o;
  o.middleware = std::move(m);
  return o;
}
weft::peer_options calling(std::vector<weft::client_middleware> m) {
  weft::peer_options o;
  o.middleware = std::move(m);
  return o;
}

weft::server_middleware note_incoming(journal* j, const char* name) { return with(&noted<incoming>, j, name); }
weft::client_middleware note_outgoing(journal* j, const char* name) { return with(&noted<outgoing>, j, name); }

template <class Call>
task<status> refuse(Call&, rest_of_call) {
  co_return weft::permission_denied("not today");
}
template <class Call>
task<status> fail(Call&, rest_of_call) {
  throw std::runtime_error{"as the test asked"};
  co_return status{};
}
template <class Call>
task<status> forget(Call&, rest_of_call) {
  co_return status{};
}
template <class Call>
task<status> repeat(Call&, rest_of_call next) {
  std::ignore = co_await next();
  std::ignore = co_await next();
  co_return status{};
}
template <class Call>
task<status> hush(Call&, rest_of_call next) {
  std::ignore = co_await next();
  co_return status{};
}
template <class Call>
task<status> change_code(Call&, rest_of_call next) {
  auto s = co_await next();
  if (s.ok()) co_return s;
  co_return weft::not_found("hidden: " + s.message());
}

weft::reply<EchoReply> say_within(Echo::client echo, EchoRequest request, weft::duration limit) {
  co_return co_await echo.Say(std::move(request), weft::within{limit});
}

EchoRequest saying(std::string text, weft::duration delay = {}) {
  EchoRequest r;
  r.set_text(std::move(text));
  r.set_delay_us(std::chrono::duration_cast<std::chrono::microseconds>(delay).count());
  return r;
}

// Talk: a stream that says these, and reads the answers until it ends.
task<status> talk(Echo::client echo, std::vector<std::string> texts, std::vector<std::string>* answers = nullptr,
                  weft::duration limit = 5s) {
  auto talk = echo.Talk(weft::within{limit});
  for (auto& text : texts) {
    const auto written = co_await talk.write(saying(std::move(text)));
    if (!written.ok()) break;
  }
  talk.writes_done();
  while (auto reply = co_await talk.read()) {
    if (answers != nullptr) answers->push_back(reply->text());
  }
  auto s = co_await talk.finish();
  co_return s;
}

void until(const std::atomic<int>& n, int wanted) {
  while (n.load() < wanted) std::this_thread::yield();
}

}  // namespace

TEST_SUITE("server middleware") {
  TEST_CASE("layers stand around the call, the outermost first, and see its outcome") {
    journal j;
    {
      two_sides f{serving({note_incoming(&j, "outer"), note_incoming(&j, "inner")})};
      REQUIRE(f.say("hi").ok());
    }
    CHECK(j.lines == std::vector<std::string>{"outer before /test.v1.Echo/Say", "inner before /test.v1.Echo/Say",
                                              "inner after OK", "outer after OK"});
  }

  TEST_CASE("a call that is refused is not decoded, surely did not run, and says why") {
    journal j;
    two_sides f{serving({note_incoming(&j, "outer"), &refuse<incoming>, note_incoming(&j, "inner")})};
    weft::metadata trailers;
    const auto reply = f.say("\xff", weft::call_options{}.trailers_into(trailers));
    CHECK(reply.status() == weft::permission_denied("not today"));
    CHECK(trailers.find("weft-not-run") != nullptr);
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"hi"})) == weft::permission_denied("not today"));
    f.server.stop();
    CHECK(f.server.counters().malformed == 0);
    CHECK(f.service.begun == 0);
    CHECK(j.lines == std::vector<std::string>{"outer before /test.v1.Echo/Say", "outer after PERMISSION_DENIED",
                                              "outer before /test.v1.Echo/Talk", "outer after PERMISSION_DENIED"});
  }

  TEST_CASE("it sees who calls, and says who that is") {
    const auto look = [](incoming& call, rest_of_call next) -> task<status> {
      const auto* name = call.metadata().find("x-name");
      if (name == nullptr) co_return status{code::unauthenticated, "who is there?"};
      call.identify(*name + " of " + call.peer().substr(0, 5));
      call.headers().add("x-kind", std::to_string(static_cast<int>(call.kind())));
      call.trailers().add("x-has-deadline", call.deadline() == weft::never ? "no" : "yes");
      co_return co_await next();
    };
    two_sides f{serving({look})};
    weft::metadata headers, trailers;
    const auto reply =
        f.say("hi", weft::call_options{}.with("x-name", "ann").headers_into(headers).trailers_into(trailers));
    REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(reply->identity() == "ann of ipv4:");
    REQUIRE(headers.find("x-kind") != nullptr);
    CHECK(*headers.find("x-kind") == "0");
    REQUIRE(trailers.find("x-has-deadline") != nullptr);
    CHECK(*trailers.find("x-has-deadline") == "yes");
    CHECK(f.say("hi").status() == status{code::unauthenticated, "who is there?"});
  }

  TEST_CASE("it may answer with another error than the handler's") {
    two_sides f{serving({&change_code<incoming>})};
    CHECK(f.say("\xff").code() == code::not_found);
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"fail"})) == weft::not_found("hidden: as asked"));
    CHECK(f.say("hi").ok());
  }

  TEST_CASE("one that throws ends its call with UNKNOWN and a line in the log, and the server lives on") {
    two_sides f{serving({&fail<incoming>})};
    CHECK(f.say("hi").status() == weft::unknown_error("the middleware failed"));
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"hi"})).code() == code::unknown);
    CHECK(f.log().find("an exception escaped from the middleware: as the test asked") != std::string::npos);
  }

  TEST_CASE("OK without the rest of the call, or of one that failed, is INTERNAL and says so") {
    {
      two_sides f{serving({&hush<incoming>, &forget<incoming>})};
      const std::string text =
          "/test.v1.Echo/Say: middleware 2 of 2 returned OK without having called the rest of the call";
      CHECK(f.say("hi").status() == weft::internal_error(text));
      CHECK(f.log().find(text) != std::string::npos);
    }
    two_sides f{serving({&hush<incoming>})};
    CHECK(f.say("\xff").status() ==
          weft::internal_error("/test.v1.Echo/Say: middleware 1 of 1 returned OK of a call that failed"));
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"fail"})).code() == code::internal);
  }

  TEST_CASE("one that calls the rest twice ends its call with INTERNAL and says so, and the handler ran once") {
    two_sides f{serving({&repeat<incoming>})};
    const auto text = std::string{"/test.v1.Echo/Say: middleware 1 of 1 called the rest of the call twice"};
    CHECK(f.say("hi").status() == weft::internal_error(text));
    CHECK(f.log().find(text) != std::string::npos);
    f.server.stop();
    CHECK(f.service.begun == 1);
  }

  TEST_CASE("metadata that cannot be sent end the call with INTERNAL, which names the key") {
    const auto add = [](incoming& call, rest_of_call next) -> task<status> {
      call.headers().add("two words", "x");
      co_return co_await next();
    };
    two_sides f{serving({add})};
    CHECK(f.say("hi").status() == weft::internal_error("/test.v1.Echo/Say: metadata key 'two words': letters, digits, "
                                                       "'_', '-' and '.' only"));
    CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"hi"})).code() == code::internal);
  }

  TEST_CASE("a stream is one call, whole: its headers are sent, its messages pass, its outcome is seen") {
    journal j;
    std::vector<std::string> answers;
    {
      const auto add = [](incoming& call, rest_of_call next) -> task<status> {
        call.headers().add("x-early", "1");
        auto s = co_await next();
        call.trailers().add("x-late", "2");
        co_return s;
      };
      two_sides f{serving({note_incoming(&j, "a"), add})};
      weft::metadata headers, trailers;
      const auto s = weft::sync_wait(
          f.client, [](Echo::client echo, weft::metadata* headers, weft::metadata* trailers) -> task<status> {
            auto talk = echo.Talk();
            std::ignore = co_await talk.write(saying("one"));
            std::ignore = co_await talk.read();
            *headers = co_await talk.headers();
            std::ignore = co_await talk.write(saying("bye"));  // the handler ends before the requests do
            auto s = co_await talk.finish();
            *trailers = talk.trailers();
            co_return s;
          }(Echo::client{*f.peer}, &headers, &trailers));
      CHECK(s.ok());
      CHECK(headers.find("x-early") != nullptr);
      CHECK(trailers.find("x-late") != nullptr);
      CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"a", "b", "c"}, &answers)).ok());
      CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {"throw"})).code() == code::unknown);
    }
    CHECK(answers == std::vector<std::string>{"a", "b", "c"});
    CHECK(j.lines == std::vector<std::string>{"a before /test.v1.Echo/Talk", "a after OK",
                                              "a before /test.v1.Echo/Talk", "a after OK",
                                              "a before /test.v1.Echo/Talk", "a after UNKNOWN"});
  }

  TEST_CASE("when the client goes, one that waits is stopped, and so is the handler that it waits for") {
    journal j;
    {
      two_sides f{serving({with(&watched<incoming>, &j)})};
      std::ignore =
          weft::sync_wait(f.client, weft::with_timeout(50ms, say_within(Echo::client{*f.peer}, saying("hi", 1h), 1h)));
      until(j.ended, 1);
      f.server.stop();
      CHECK(f.service.stopped == 1);
      CHECK(f.server.counters().cancelled == 1);
    }
    CHECK(j.outcome == weft::cancelled("the client has gone"));
    journal before;
    {
      two_sides f{serving({with(&waiting<incoming>, &before)})};
      std::ignore =
          weft::sync_wait(f.client, weft::with_timeout(50ms, say_within(Echo::client{*f.peer}, saying("hi"), 1h)));
      until(before.ended, 1);
      f.server.stop();
      CHECK(f.service.begun == 0);
    }
    CHECK(before.outcome.code() == code::cancelled);
  }

  TEST_CASE("at the deadline one that waits is stopped, and the call ends with DEADLINE_EXCEEDED") {
    journal j;
    {
      auto options = serving({with(&waiting<incoming>, &j)});
      options.longest = 50ms;
      two_sides f{std::move(options)};
      EchoRequest request = saying("hi");
      const auto reply = weft::sync_wait(f.client, say_within(Echo::client{*f.peer}, request, 1h));
      CHECK(reply.status() == weft::deadline_exceeded("/test.v1.Echo/Say took too long"));
      CHECK(weft::sync_wait(f.client, talk(Echo::client{*f.peer}, {}, nullptr, 50ms)).code() ==
            code::deadline_exceeded);
      until(j.ended, 2);
      f.server.stop();
      CHECK(f.service.begun == 0);
    }
    CHECK(j.begun == j.ended);
  }

  TEST_CASE("the handler inherits what it annotates, and the time that it leaves") {
    const auto narrow = [](incoming&, rest_of_call next) -> task<status> {
      co_await weft::annotate("from", "middleware");
      auto rest = next();
      auto in_time = co_await weft::with_timeout(50ms, std::move(rest));
      co_return in_time;
    };
    two_sides f{serving({narrow})};
    const auto reply = f.say("hi");
    REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(reply->left_us() <= 50'000);
    CHECK(weft::sync_wait(f.client, say_within(Echo::client{*f.peer}, saying("hi", 1h), 2s)).code() ==
          code::deadline_exceeded);
    f.server.stop();
    CHECK(f.service.stopped == 1);
  }

  TEST_CASE("a server that stops, stops what waits") {
    journal j;
    two_sides f{serving({with(&waiting<incoming>, &j)})};
    weft::visit(f.client.worker_at(1), [&] {
      CHECK(Echo::client{*f.peer}.send.Say(saying("hi")).ok());
      CHECK(Echo::client{*f.peer}.send.Say(saying("hi")).ok());
    });
    until(j.begun, 2);
    f.server.stop();
    CHECK(j.ended == 2);
    CHECK(f.service.begun == 0);
  }

  TEST_CASE("the handler may be on another worker, and both look at what came") {
    std::atomic<int> seen = 0;
    const auto look = [&seen](incoming& call, rest_of_call next) {
      return [](incoming& call, rest_of_call next, std::atomic<int>* seen) -> task<status> {
        auto s = co_await weft::with_timeout(5s, next());
        *seen += call.metadata().find("x-header") != nullptr ? 1 : 0;
        co_return s;
      }(call, next, &seen);
    };
    test::serving far{1, serving({look})};
    weft::rpc_runtime near;
    weft::peer peer{near, far.server.address()};
    for (int i = 0; i < 100; ++i) {
      auto options = weft::call_options{}.with("x-header", "1");
      auto call = Echo::client{peer}.Say(saying("hi"), std::move(options));
      CHECK(weft::sync_wait(near, weft::as_task(std::move(call))).ok());
    }
    near.stop();
    far.end();
    CHECK(seen == 100);
  }

  TEST_CASE("a null one keeps the server from starting") {
    weft::rpc_runtime rt;
    weft::server server{rt, serving({weft::server_middleware{}})};
    CHECK(server.start() == weft::invalid_argument("server_options::middleware: one is null"));
  }
}

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

namespace {

task<status> slow_both_ways(rest_of_call next, journal* j) {
  const counted here{j};
  std::ignore = co_await weft::sleep_for(100us);
  auto s = co_await next();
  std::ignore = co_await weft::sleep_for(100us);
  co_return s;
}

task<> keep_calling(Echo::client echo, std::uint64_t seed, test::call_count* calls, int times) {
  test::dice d{seed};
  for (int i = 0; i < times; ++i) {
    ++calls->begun;
    const auto limit = std::chrono::microseconds{d.below(4'000)};
    const auto delay = std::chrono::microseconds{d.below(2'000)};
    if (d.one_in(3)) {
      auto talking = talk(echo, {"a", "b"}, nullptr, 10s);
      std::ignore = co_await weft::with_timeout(limit, std::move(talking));
    } else if (d.one_in(2)) {
      std::ignore = co_await weft::with_timeout(limit, say_within(echo, saying("x", delay), 10s));
    } else {
      std::ignore = co_await say_within(echo, saying("x", delay), limit);
    }
    ++calls->completed;
  }
}

task<> call_side_by_side(Echo::client echo, test::call_count* calls, std::uint64_t seed, weft::scope& s) {
  constexpr std::uint64_t callers = 10;
  for (std::uint64_t i = 0; i < callers; ++i) std::ignore = s.start(keep_calling(echo, seed + i, calls, 50));
  co_return;
}

// 1,000 calls, half of them from worker 0, half from worker 1, to a service on `worker`.
void call_and_give_up(int worker) {
  journal at_server, at_client;
  test::call_count calls;
  const auto here = [&at_client](outgoing&, rest_of_call next) { return slow_both_ways(next, &at_client); };
  const auto there = [&at_server](incoming&, rest_of_call next) { return slow_both_ways(next, &at_server); };
  test::serving far{worker, serving({there, there})};
  {
    weft::rpc_runtime near{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
    weft::strand polling{near, {.name = "polling", .worker = 0}}, other{near, {.name = "other", .worker = 1}};
    weft::peer peer{near, far.server.address(), calling({here})};
    const std::array<weft::strand*, 2> homes{&polling, &other};
    weft::sync_wait(near, weft::with_scope(
                              [](const std::array<weft::strand*, 2>* homes, Echo::client echo, test::call_count* calls,
                                 weft::scope& s) -> task<> {
                                std::uint64_t seed = 1;
                                for (auto* home : *homes) {
                                  seed += 100;
                                  std::ignore = s.start(weft::run_on(*home, [echo, calls, seed] {
                                    return weft::with_scope(&call_side_by_side, echo, calls, seed);
                                  }));
                                }
                                co_return;
                              },
                              &homes, Echo::client{peer}, &calls));
    CHECK(calls.begun == 1'000);
    CHECK(calls.completed == calls.begun);
    near.stop();
    test::serving::check_tags(near);
  }
  far.end();
  CHECK(at_client.begun > 0);
  CHECK(at_client.begun == at_client.ended);
  CHECK(at_server.begun == at_server.ended);
}

}  // namespace

TEST_SUITE("middleware") {
  TEST_CASE("1,000 calls that are given up at any moment complete once each, service on the polling worker") {
    call_and_give_up(0);
  }
  TEST_CASE("1,000 calls that are given up at any moment complete once each, service on another worker") {
    call_and_give_up(1);
  }
}
