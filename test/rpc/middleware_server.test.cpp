// Middleware of a server. What both sides have in common under races is in middleware.test.cpp.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/log.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/this_call.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/faults.hpp"
#include "../support/middleware.hpp"
#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using namespace test::around;
using test::two_sides;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::code;
using weft::incoming;
using weft::rest_of_call;
using weft::status;
using weft::task;

namespace {

// Its Talk has headers to say, and ends when it is let, whoever is gone.
struct slow_to_end final : Echo::service {
  using service::service;
  task<status> Talk(weft::reader<EchoRequest>&, weft::writer<EchoReply>&) override {
    const auto call = co_await weft::this_call();
    call.headers().add("x-header", "late");
    while (!let_go.load()) co_await weft::yield{};
    co_return status{};
  }
  std::atomic<bool> let_go{false};
};

// Calls, and goes when `begun` says that the call has got there. It leaves no deadline behind, which could be first.
task<> call_and_go(Echo::client echo, EchoRequest request, const std::atomic<int>* begun, weft::scope& s) {
  auto call = s.start(say_within(echo, std::move(request), 1h));
  while (begun->load() == 0) co_await weft::yield{};
  s.stop();
  CHECK((co_await std::move(call)).code() == code::cancelled);
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
      weft::sync_wait(f.client,
                      weft::with_scope(&call_and_go, Echo::client{*f.peer}, saying("hi", 1h), &f.service.begun));
      until(j.ended, 1);
      f.server.stop();
      CHECK(f.service.stopped == 1);
      CHECK(f.server.counters().cancelled == 1);
    }
    CHECK(j.outcome == weft::cancelled("the client has gone"));
    journal before;
    {
      two_sides f{serving({with(&waiting<incoming>, &before)})};
      weft::sync_wait(f.client, weft::with_scope(&call_and_go, Echo::client{*f.peer}, saying("hi"), &before.begun));
      until(before.ended, 1);
      f.server.stop();
      CHECK(f.service.begun == 0);
    }
    CHECK(before.outcome.code() == code::cancelled);
  }

  TEST_CASE("a handler that ends after its stream has, which had headers to say, says nothing more") {
    journal j;
    weft::rpc_runtime rt;
    slow_to_end service{rt};
    weft::server server{rt, serving({with(&watched<incoming>, &j)})};
    server.add(service);
    REQUIRE(server.start().ok());
    weft::rpc_runtime client;
    weft::peer peer{client, server.address()};
    CHECK(weft::sync_wait(client, talk(Echo::client{peer}, {"hi"}, nullptr, 50ms)).code() == code::deadline_exceeded);
    until(j.ended, 1);
    weft::visit(rt.worker_at(0), [] {});  // the stream's end is on its way
    service.let_go = true;
    service.stop_and_wait(weft::stop_mode::drain);
    server.stop();
    CHECK_FALSE(j.outcome.ok());
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
