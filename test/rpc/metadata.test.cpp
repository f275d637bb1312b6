// What travels beside the messages of a call, whatever way it goes.
#include <doctest/doctest.h>
#include <google/protobuf/wrappers.pb.h>

#include <optional>
#include <string>
#include <weft/rpc/status_details.hpp>
#include <weft/runtime/call_options.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/bound_echo.hpp"
#include "../support/ending.hpp"

using namespace std::chrono_literals;
using test::bound_echo;
using test::each_way;
using test::say;
using test::way;
using test::v1::Echo;
using test::v1::FailRequest;

namespace {

const std::string bytes{"\0\xff\n", 3};

weft::call_options with_both() {
  return weft::call_options{}.with("X-Header", "one").with("x-header", "two").with("x-trailer-bin", bytes);
}

weft::metadata entries(const std::optional<std::string>& key, const weft::metadata& from) {
  weft::metadata some;
  for (const auto& e : from) {
    if (e.key == key) some.add(e.key, e.value);
  }
  return some;
}

void check_both(const weft::metadata& headers, const weft::metadata& trailers) {
  weft::metadata expected_headers, expected_trailers;
  expected_headers.add("x-header", "one").add("x-header", "two");
  expected_trailers.add("x-trailer-bin", bytes);
  CHECK(entries("x-header", headers) == expected_headers);
  CHECK(entries("x-trailer-bin", trailers) == expected_trailers);
}

}  // namespace

TEST_SUITE("metadata of a call") {
  TEST_CASE("a handler sees the caller's, and the caller the handler's, before and after the reply") {
    each_way([](way w) {
      bound_echo f{w};
      weft::metadata headers, trailers;
      const auto reply =
          f.run(weft::as_task(f.client.Say(say("hi"), with_both().headers_into(headers).trailers_into(trailers))));
      REQUIRE(reply.ok());
      check_both(headers, trailers);
    });
  }

  TEST_CASE("they come with an error too") {
    each_way([](way w) {
      bound_echo f{w};
      weft::metadata headers, trailers;
      FailRequest request;
      request.set_code(5);
      request.set_message("no such room");
      const auto reply =
          f.run(weft::as_task(f.client.Fail(request, with_both().headers_into(headers).trailers_into(trailers))));
      CHECK(reply.status() == weft::not_found("no such room"));
      check_both(headers, trailers);
    });
  }

  TEST_CASE("a call that ended before its reply leaves the targets alone") {
    each_way([](way w) {
      bound_echo f{w};
      weft::metadata headers;
      headers.add("mine", "kept");
      const auto reply = f.run(
          weft::as_task(f.client.Say(say("late", 10s), weft::call_options{weft::within{20ms}}.headers_into(headers))));
      CHECK(reply.code() == weft::code::deadline_exceeded);
      if (w == way::local || w == way::local_other_worker) CHECK(headers.size() == 1);
    });
  }

  TEST_CASE("what cannot be sent fails the call, which names the key") {
    each_way([](way w) {
      bound_echo f{w};
      const auto reply = f.run(weft::as_task(f.client.Say(say("hi"), weft::call_options{}.with("two words", "x"))));
      CHECK(reply.status() ==
            weft::invalid_argument("metadata key 'two words': letters, digits, '_', '-' and '.' only"));
      CHECK(f.inside([&f] { return f.service.begun.load(); }) == 0);
    });
  }

  TEST_CASE("a handler whose metadata cannot be sent ends with INTERNAL, which names the key") {
    each_way([](way w) {
      bound_echo f{w};
      const auto reply = f.run(weft::as_task(f.client.Say(say("hi"), weft::call_options{}.with("x-bad", "x"))));
      CHECK(reply.status() == weft::internal_error("/test.v1.Echo/Say: metadata key 'bad key': letters, digits, '_', "
                                                   "'-' and '.' only"));
    });
  }

  TEST_CASE("a handler knows who calls") {
    each_way([](way w) {
      bound_echo f{w};
      const auto reply = f.run(weft::as_task(f.client.Say(say("hi"))));
      REQUIRE(reply.ok());
      const bool local = w == way::local || w == way::local_other_worker;
      CHECK(reply->peer().starts_with(local ? "local" : "ipv4:127.0.0.1:"));
    });
  }

  TEST_CASE("this_call outside of a handler is a misuse") {
    const auto outside = [] {
      weft::rpc_runtime rt;
      weft::sync_wait(rt, []() -> weft::task<> { std::ignore = co_await weft::this_call(); }());
    };
    test::check_misuse(outside, "this_call in task 'sync_wait', which is no part of a handler");
  }

  TEST_CASE("options are copied with what they carry") {
    const auto options = with_both();
    auto copy = options;
    auto extras = copy.take_extras();
    REQUIRE(extras);
    CHECK(extras->sent.size() == 3);
    CHECK(weft::call_options{options}.take_extras() != nullptr);
  }
}

TEST_SUITE("metadata of a stream") {
  TEST_CASE("headers come before the first reply, trailers with the status") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](Echo::client echo) -> weft::task<> {
        weft::metadata as_asked;
        auto talk = echo.Talk(with_both().headers_into(as_asked));
        auto hello = say("hello");
        CHECK((co_await talk.write(std::move(hello))).ok());
        const auto reply = co_await talk.read();
        CHECK(reply.has_value());
        const auto headers = co_await talk.headers();
        CHECK((co_await talk.finish()).ok());
        check_both(headers, talk.trailers());
        check_both(as_asked, talk.trailers());
      }(f.client));
    });
  }

  TEST_CASE("headers may be sent long before the first reply") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](Echo::client echo) -> weft::task<> {
        auto talk = echo.Talk(with_both().with("x-at-once", "yes"));
        const auto headers = co_await weft::with_timeout(
            4s, weft::task<weft::result<weft::metadata>>{[](auto* t) -> weft::task<weft::result<weft::metadata>> {
              co_return co_await t->headers();
            }(&talk)});
        REQUIRE(headers.ok());
        CHECK(entries("x-header", *headers).size() == 2);
        CHECK((co_await talk.finish()).ok());
      }(f.client));
    });
  }

  TEST_CASE("a stream without replies has headers and trailers, and one that fails has") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](Echo::client echo) -> weft::task<> {
        auto silent = echo.Talk(with_both());
        CHECK((co_await silent.finish()).ok());
        const auto headers = co_await silent.headers();
        check_both(headers, silent.trailers());

        auto failing = echo.Talk(with_both());
        auto fail = say("fail");
        CHECK((co_await failing.write(std::move(fail))).ok());
        CHECK((co_await failing.finish()).code() == weft::code::aborted);
        const auto of_failed = co_await failing.headers();
        check_both(of_failed, failing.trailers());
      }(f.client));
    });
  }

  TEST_CASE("waiting for headers that never come ends with the call") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](Echo::client echo) -> weft::task<> {
        auto talk = echo.Talk(weft::within{30ms});
        const auto headers = co_await talk.headers();
        CHECK(headers.empty());
        CHECK((co_await talk.finish()).code() == weft::code::deadline_exceeded);
      }(f.client));
    });
  }

  TEST_CASE("a stream whose metadata cannot be sent does not begin") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](Echo::client echo) -> weft::task<> {
        auto talk = echo.Talk(weft::call_options{}.with("grpc-status", "0"));
        CHECK_FALSE((co_await talk.read()).has_value());
        CHECK((co_await talk.finish()) == weft::invalid_argument("metadata key 'grpc-status' is reserved for gRPC"));
      }(f.client));
    });
  }
}

TEST_SUITE("compression") {
  TEST_CASE("compressed requests and replies arrive as they were") {
    each_way([](way w) {
      bound_echo f{w};
      auto request = say("hi");
      request.set_payload(std::string(100'000, 'x'));
      const auto reply = f.run(weft::as_task(
          f.client.Say(request, weft::call_options{}.compress(weft::compression::gzip).with("x-compress", "yes"))));
      REQUIRE(reply.ok());
      CHECK(reply->payload() == request.payload());
    });
  }
}

TEST_SUITE("status details") {
  TEST_CASE("details of any type travel with an error") {
    google::protobuf::Int64Value wait;
    wait.set_value(250);
    google::protobuf::StringValue room;
    room.set_value("blue");
    const auto s = weft::add_detail(weft::add_detail(weft::resource_exhausted("full"), wait), room);
    CHECK(weft::details_of(s).size() == 2);
    const auto found = weft::find_detail<google::protobuf::Int64Value>(s);
    REQUIRE(found);
    CHECK(found->value() == 250);
    CHECK(weft::find_detail<google::protobuf::StringValue>(s)->value() == "blue");
    CHECK_FALSE(weft::find_detail<google::protobuf::BoolValue>(s));
    CHECK(weft::add_detail(weft::status{}, wait).ok());
  }

  TEST_CASE("bytes that are no details are none") {
    CHECK(weft::details_of({weft::code::aborted, "x", "\xff\xff\xff"}).empty());
    CHECK(weft::details_of({weft::code::aborted, "x", "\x1a\x7f"}).empty());
    CHECK(weft::details_of(weft::aborted("x")).empty());
  }
}
