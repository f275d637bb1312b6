// Calls by name: what a client's call promises, whatever way it goes, and errors that say what was wrong with the name.
#include <weft/rpc/directory.hpp>

#include <doctest/doctest.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/test/world.hpp>

#include "../support/bound_echo.hpp"
#include "../support/ending.hpp"
#include "test/v1/wallet.weft.hpp"

using namespace std::chrono_literals;
using test::bound_echo;
using test::each_way;
using test::say;
using test::way;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using test::v1::FailRequest;

namespace {

struct named_echo {
  explicit named_echo(way w, weft::service_options options = {}) : echo{w, options} { here(rpc); }

  /// Adds the service to a directory as the way goes.
  void here(weft::directory& d) {
    if (echo.peer) d.add("test.v1.Echo", *echo.peer);
    else d.add("test.v1.Echo", echo.service);
    d.alias("echo", "test.v1.Echo");
  }
  auto say_by_name(std::string_view method, const EchoRequest& request, weft::call_options options = {}) {
    return echo.run(weft::as_task(rpc.call<EchoReply>(method, request, std::move(options))));
  }
  auto json(std::string_view method, std::string_view request, weft::call_options options = {}) {
    return echo.run(weft::as_task(rpc.call_json(method, request, std::move(options))));
  }

  weft::directory rpc;
  bound_echo echo;
};

bool local(way w) { return w == way::local || w == way::local_other_worker; }

// Where two handlers wait until both run.
struct meeting {
  int come = 0;
  weft::event both;
};

/// Exclusive; asks itself, by name, until the amount is zero.
struct recursive_wallet : test::v1::Wallet::service {
  recursive_wallet(weft::runtime& rt, const weft::directory& d, meeting* m = nullptr)
      : service{rt, {.name = "wallet", .reentrancy = weft::reentrancy::exclusive}}, rpc{d}, meets{m} {}

  weft::reply<test::v1::ReserveReply> Reserve(test::v1::ReserveRequest& request) override {
    test::v1::ReserveReply reply;
    reply.set_hold("done");
    if (request.amount() == 0) co_return reply;
    if (meets != nullptr) {
      if (++meets->come == 2) meets->both.set();
      std::ignore = co_await meets->both.wait();
    }
    request.set_amount(request.amount() - 1);
    co_return co_await rpc.call<test::v1::ReserveReply>("wallet.Reserve", request);
  }
  const weft::directory& rpc;
  meeting* meets;
};

}  // namespace

TEST_SUITE("calls by name") {
  TEST_CASE("all spellings of a method's name call it") {
    each_way([](way w) {
      named_echo f{w};
      for (const char* name :
           {"test.v1.Echo/Say", "/test.v1.Echo/Say", "test.v1.Echo.Say", "/test.v1.Echo.Say", "echo.Say", "echo/Say"}) {
        CAPTURE(name);
        const auto reply = f.say_by_name(name, say("hi"));
        REQUIRE(reply.status() == weft::status{});
        CHECK(reply->text() == "hi");
      }
    });
  }

  TEST_CASE("what is no method's name is refused, and quoted") {
    named_echo f{way::local};
    for (const char* name : {"", "/", "Say", "echo.", ".Say", "echo..Say", "echo/", "//Say", "a/b/c", "a b.Say",
                             "echo.Say ", "1echo.Say", "echo/Say/", "/echo//Say", "\xc3\xa9.Say"}) {
      CAPTURE(name);
      CHECK(f.say_by_name(name, say("hi")).status() ==
            weft::invalid_argument("'" + std::string{name} +
                                   "' names no method: that is \"service/Method\" or \"service.Method\""));
    }
  }

  TEST_CASE("an unknown service is NOT_FOUND, which lists those that are known") {
    named_echo f{way::local};
    CHECK(f.say_by_name("test.v1.Ecko/Say", say("hi")).status() ==
          weft::not_found("'test.v1.Ecko/Say': no service or alias 'test.v1.Ecko'; there are test.v1.Echo, "
                          "echo (test.v1.Echo)"));
    weft::directory nothing;
    CHECK(f.echo.run(weft::as_task(nothing.call_json("a.B", "{}"))).status() ==
          weft::not_found("'a.B': no service or alias 'a'; there are none"));
  }

  TEST_CASE("an alias of a service that is not here says so") {
    named_echo f{way::local};
    f.rpc.alias("bank", "test.v1.Wallet");
    const auto reply = f.say_by_name("bank.Reserve", say("hi"));
    CHECK(reply.status() ==
          weft::not_found("'bank.Reserve': 'bank' stands for test.v1.Wallet, which is not here; there "
                          "are test.v1.Echo, bank (test.v1.Wallet), echo (test.v1.Echo)"));
  }

  TEST_CASE("an unknown method is UNIMPLEMENTED, which lists those that are known") {
    each_way([](way w) {
      named_echo f{w};
      const auto reply = f.say_by_name("echo.Sey", say("hi"));
      CHECK(reply.code() == weft::code::unimplemented);
      CHECK(reply.status().message().starts_with("test.v1.Echo has no method 'Sey'; it has "));
      CHECK(reply.status().message().find("Say") != std::string::npos);
    });
  }

  TEST_CASE("a method that streams cannot be called as one that does not, nor the reverse") {
    each_way([](way w) {
      named_echo f{w};
      const auto streams =
          weft::invalid_argument("test.v1.Echo/Talk streams: call it with a generated client, or by directory::stream");
      CHECK(f.say_by_name("echo.Talk", say("hi")).status() == streams);
      CHECK(f.json("echo.Talk", "{}").status() == streams);
      CHECK(f.echo.run(weft::as_task(f.rpc.call_bytes("echo.Talk", ""))).status() == streams);
      CHECK(f.rpc.stream("echo.Say").status() ==
            weft::invalid_argument("test.v1.Echo/Say does not stream: use directory::call"));
    });
  }

  TEST_CASE("a message of another type than the method's is refused before it is sent") {
    each_way([](way w) {
      named_echo f{w};
      const FailRequest other;
      const auto request = f.echo.run(weft::as_task(f.rpc.call<EchoReply>("echo.Say", other)));
      CHECK(request.status() ==
            weft::invalid_argument("the request of test.v1.Echo/Say is a test.v1.EchoRequest, not a "
                                   "test.v1.FailRequest"));
      const auto reply = f.echo.run(weft::as_task(f.rpc.call<FailRequest>("echo.Say", say("hi"))));
      CHECK(reply.status() ==
            weft::invalid_argument("the reply of test.v1.Echo/Say is a test.v1.EchoReply, not a test.v1.FailRequest"));
      CHECK(f.echo.inside([&f] { return f.echo.service.begun.load(); }) == 0);
    });
  }

  TEST_CASE("bytes go in and come out as they are") {
    each_way([](way w) {
      named_echo f{w};
      auto request = say("bytes");
      request.set_payload(std::string(100'000, '\xff'));
      const auto bytes = f.echo.run(weft::as_task(f.rpc.call_bytes("echo.Say", request.SerializeAsString())));
      REQUIRE(bytes.status() == weft::status{});
      EchoReply reply;
      REQUIRE(reply.ParseFromString(*bytes));
      CHECK(reply.text() == "bytes");
      CHECK(reply.payload() == request.payload());
      const auto none = f.echo.run(weft::as_task(f.rpc.call_bytes("echo.Say", "\xff")));
      CHECK(none.status() == weft::invalid_argument("'echo.Say': the bytes of the request are no message"));
    });
  }

  TEST_CASE("JSON goes in and comes out") {
    each_way([](way w) {
      named_echo f{w};
      const auto reply = f.json("echo.Say", R"({"text": "hi", "delayUs": "1", "payload": "AQI="})");
      REQUIRE(reply.status() == weft::status{});
      CHECK(reply->starts_with(R"({"text":"hi","payload":"AQI=",)"));
    });
  }

  TEST_CASE("bad JSON is INVALID_ARGUMENT with the type and the path of the field") {
    each_way([](way w) {
      named_echo f{w};
      for (const char* json : {R"({"delayUs": "soon"})", R"({"texd": "hi"})", "{", "[]", "", "{} {}"}) {
        CAPTURE(json);
        const auto reply = f.json("echo.Say", json);
        CHECK(reply.code() == weft::code::invalid_argument);
        CHECK(reply.status().message().starts_with("that JSON is no test.v1.EchoRequest: "));
      }
      CHECK(f.json("echo.Say", R"({"delayUs": "soon"})").status().message().find("(delay_us)") != std::string::npos);
      CHECK(f.json("echo.Say", R"({"texd": "hi"})").status().message().find("texd") != std::string::npos);
    });
  }

  TEST_CASE("the handler's errors come as they are") {
    each_way([](way w) {
      named_echo f{w};
      CHECK(f.json("echo.Fail", R"({"code": 5, "message": "no such room"})").status() ==
            weft::not_found("no such room"));
      CHECK(f.say_by_name("echo.Throw", say("boom")).code() == weft::code::unknown);
      CHECK(f.say_by_name("echo.Missing", say("hi")).status() ==
            weft::unimplemented("/test.v1.Echo/Missing is not implemented"));
    });
  }

  TEST_CASE("a call resumes on its caller's strand") {
    each_way([](way w) {
      named_echo f{w};
      f.echo.run([](const weft::directory* rpc) -> weft::task<> {
        const auto* before = weft::worker::current_strand();
        const auto reply = co_await rpc->call_json("echo.Say", R"({"delayUs": "100"})");
        CHECK(reply.ok());
        CHECK(weft::worker::current_strand() == before);
      }(&f.rpc));
    });
  }

  TEST_CASE("at its deadline a call is over and its handler is stopped") {
    each_way([](way w) {
      named_echo f{w};
      f.echo.until_stopped_by_limit([&f](weft::duration limit) {
        const auto reply = f.say_by_name("echo.Say", say("late", 1h), weft::within{limit});
        CHECK(reply.status() == weft::deadline_exceeded("/test.v1.Echo/Say took too long"));
      });
    });
  }

  TEST_CASE("when the caller is stopped the call is over and its handler is stopped") {
    each_way([](way w) {
      named_echo f{w};
      f.echo.until_stopped_by_limit([&f](weft::duration limit) {
        const auto reply = f.echo.run(weft::with_timeout(limit, f.rpc.call<EchoReply>("echo.Say", say("late", 1h))));
        CHECK(reply.code() == weft::code::deadline_exceeded);
      });
    });
  }

  TEST_CASE("metadata go both ways") {
    each_way([](way w) {
      named_echo f{w};
      weft::metadata headers, trailers;
      const auto reply = f.json("echo.Say", "{}",
                                weft::call_options{}
                                    .with("x-header", "one")
                                    .with("x-trailer-bin", "two")
                                    .headers_into(headers)
                                    .trailers_into(trailers));
      REQUIRE(reply.ok());
      REQUIRE(headers.find("x-header") != nullptr);
      CHECK(*headers.find("x-header") == "one");
      REQUIRE(trailers.find("x-trailer-bin") != nullptr);
      CHECK(*trailers.find("x-trailer-bin") == "two");
    });
  }

  TEST_CASE("a call within the process that ended before its reply leaves the targets alone") {
    for (const auto w : {way::local, way::local_other_worker}) {
      named_echo f{w};
      weft::metadata headers;
      headers.add("mine", "kept");
      const auto late =
          f.say_by_name("echo.Say", say("late", 10s), weft::call_options{weft::within{20ms}}.headers_into(headers));
      CHECK(late.code() == weft::code::deadline_exceeded);
      CHECK(headers.size() == 1);
    }
  }

  TEST_CASE("metadata that cannot be sent fail the call, which names the key") {
    each_way([](way w) {
      named_echo f{w};
      CHECK(f.say_by_name("echo.Say", say("hi"), weft::call_options{}.with("two words", "x")).code() ==
            weft::code::invalid_argument);
      CHECK(f.say_by_name("echo.Say", say("hi"), weft::call_options{}.with("x-bad", "x")).status() ==
            weft::internal_error("/test.v1.Echo/Say: metadata key 'bad key': letters, digits, '_', '-' and '.' only"));
    });
  }

  TEST_CASE("a handler knows that the caller is in its process") {
    each_way([](way w) {
      named_echo f{w};
      const auto reply = f.say_by_name("echo.Say", say("hi"));
      REQUIRE(reply.ok());
      CHECK(reply->peer().starts_with(local(w) ? "local" : "ipv4:127.0.0.1:"));
    });
  }

  TEST_CASE("a service that is full or stopped refuses calls by name too") {
    for (const auto w : {way::local, way::local_other_worker}) {
      named_echo f{w, {.mailbox = 2, .running = 1}};
      const auto refused = f.echo.run(weft::with_scope(
          [](const weft::directory* rpc, weft::scope& s) -> weft::task<int> {
            std::vector<weft::started<weft::result<EchoReply>>> calls;
            for (int i = 0; i < 8; ++i) calls.push_back(s.start(rpc->call<EchoReply>("echo.Say", say("slow", 20ms))));
            int refused = 0;
            for (auto& c : calls) {
              const auto reply = co_await std::move(c);
              if (reply.code() == weft::code::resource_exhausted) ++refused;
              else CHECK(reply.ok());
            }
            co_return refused;
          },
          &f.rpc));
      CHECK(refused >= 5);
      CHECK(refused <= 7);
      f.echo.service.stop_and_wait();
      CHECK(f.say_by_name("echo.Say", say("hi")).code() == weft::code::unavailable);
    }
  }

  TEST_CASE("many calls at once each get their own reply") {
    each_way([](way w) {
      named_echo f{w};
      f.echo.run(weft::with_scope(
          [](const weft::directory* rpc, weft::scope& s) -> weft::task<> {
            std::vector<weft::started<weft::result<EchoReply>>> calls;
            for (int i = 0; i < 300; ++i) {
              calls.push_back(s.start(rpc->call<EchoReply>("echo.Say", say(std::to_string(i), i % 3 * 100us))));
            }
            for (int i = 0; i < 300; ++i) {
              const auto reply = co_await std::move(calls[static_cast<std::size_t>(i)]);
              CHECK(reply.value().text() == std::to_string(i));
            }
          },
          &f.rpc));
    });
  }

  TEST_CASE("one way, a call is made and forgotten, and a refusal known at once is returned") {
    each_way([](way w) {
      named_echo f{w};
      f.echo.run([](const weft::directory* rpc) -> weft::task<> {
        const auto sent = rpc->call_json("echo.Say", "{}").send();
        CHECK(sent == weft::status{});
        const auto refused = rpc->call_json("echo.Sey", "{}").send();
        CHECK(refused.code() == weft::code::unimplemented);
        co_return;
      }(&f.rpc));
      CHECK(f.echo.run(f.echo.until([&f] { return f.echo.service.begun == 1; })).ok());
    });
  }

  TEST_CASE("an exclusive service that asks itself by name lets its own descendants in") {
    weft::directory rpc;
    weft::runtime rt;
    recursive_wallet wallet{rt, rpc};
    rpc.add("test.v1.Wallet", wallet);
    rpc.alias("wallet", "test.v1.Wallet");
    const auto reply = weft::sync_wait(rt, weft::as_task(rpc.call_json("wallet.Reserve", R"({"amount": "3"})")));
    CHECK(reply.status() == weft::status{});
    CHECK(reply.value() == R"({"hold":"done"})");
    wallet.stop_and_wait();
    CHECK(wallet.counters().reentered == 3);
  }

  TEST_CASE("two exclusive services that wait for each other by name are told so at once") {
    weft::directory to_second, to_first;
    weft::test::world world;
    meeting meet;
    recursive_wallet first{world, to_second, &meet}, second{world, to_first, &meet};
    for (auto* d : {&to_first, &to_second}) d->alias("wallet", "test.v1.Wallet");
    to_first.add("test.v1.Wallet", first);
    to_second.add("test.v1.Wallet", second);
    const auto one_aborted = world.run(weft::with_scope(
        [](const weft::directory* a, const weft::directory* b, weft::scope& s) -> weft::task<bool> {
          auto one = s.start(a->call_json("wallet.Reserve", R"({"amount": "1"})"));
          auto other = s.start(b->call_json("wallet.Reserve", R"({"amount": "1"})"));
          const auto x = co_await std::move(one);
          const auto y = co_await std::move(other);
          co_return (x.ok() && y.code() == weft::code::aborted) || (y.ok() && x.code() == weft::code::aborted);
        },
        &to_first, &to_second));
    CHECK(one_aborted);
    world.run(first.stop());
    world.run(second.stop());
  }

  TEST_CASE("a service that is added again is called where it was added last") {
    weft::directory rpc;
    bound_echo first{way::unary}, second{way::local};
    rpc.add("test.v1.Echo", *first.peer);
    REQUIRE(first.run(weft::as_task(rpc.call_json("test.v1.Echo.Say", "{}"))).ok());
    rpc.add("test.v1.Echo", second.service);
    REQUIRE(second.run(weft::as_task(rpc.call_json("test.v1.Echo.Say", "{}"))).ok());
    CHECK(first.inside([&first] { return first.service.begun.load(); }) == 1);
    CHECK(second.inside([&second] { return second.service.begun.load(); }) == 1);
  }

  TEST_CASE("methods that no descriptor describes are the peer's to answer for, but have no JSON") {
    const google::protobuf::DescriptorPool nothing;
    weft::directory rpc{nothing};
    named_echo f{way::unary};
    f.here(rpc);
    const auto said = f.echo.run(weft::as_task(rpc.call<EchoReply>("echo.Say", say("hi"))));
    CHECK(said.value().text() == "hi");
    CHECK(f.echo.run(weft::as_task(rpc.call<EchoReply>("echo.Sey", say("hi")))).code() == weft::code::unimplemented);
    CHECK(f.echo.run(weft::as_task(rpc.call_json("echo.Say", "{}"))).status() ==
          weft::failed_precondition("there is no descriptor of test.v1.Echo/Say: link its generated code, or give the "
                                    "directory a pool that has it"));
  }

  TEST_CASE("of a service that no descriptor describes only so many methods are remembered") {
    const google::protobuf::DescriptorPool nothing;
    weft::directory rpc{nothing};
    named_echo f{way::unary};
    f.here(rpc);
    const auto call = [&](std::size_t n) {
      return f.echo.run(weft::as_task(rpc.call<EchoReply>("echo.M" + std::to_string(n), say("hi")))).code();
    };
    for (std::size_t n = 0; n < weft::directory::most_undescribed; ++n) {
      auto made = rpc.call<EchoReply>("echo.M" + std::to_string(n), say("hi"));
      made.discard();
    }
    CHECK(call(0) == weft::code::unimplemented);
    CHECK(call(weft::directory::most_undescribed) == weft::code::resource_exhausted);
  }

  TEST_CASE("descriptors can be given") {
    google::protobuf::DescriptorPool pool;
    google::protobuf::FileDescriptorProto file;
    test::v1::EchoRequest::descriptor()->file()->CopyTo(&file);
    REQUIRE(pool.BuildFile(file) != nullptr);
    each_way([&](way w) {
      weft::directory rpc{pool};
      named_echo f{w};
      f.here(rpc);
      const auto reply = f.echo.run(weft::as_task(rpc.call_json("echo.Say", R"({"text": "dynamic"})")));
      REQUIRE(reply.status() == weft::status{});
      CHECK(reply->find(R"("text":"dynamic")") != std::string::npos);
    });
  }

  TEST_CASE("streams by name carry messages as they are on the wire") {
    each_way([](way w) {
      named_echo f{w};
      weft::metadata sent;
      f.echo.run([](const weft::directory* rpc) -> weft::task<> {
        auto opened = rpc->stream("echo.Talk", weft::call_options{}.with("x-header", "one"));
        REQUIRE(opened.ok());
        auto& talk = *opened;
        for (const char* text : {"one", "two", "bye"}) {
          weft::raw_message request{say(text).SerializeAsString()};
          const auto written = co_await talk.write(std::move(request));
          CHECK(written == weft::status{});
          const auto bytes = co_await talk.read();
          REQUIRE(bytes.has_value());
          EchoReply reply;
          CHECK(reply.ParseFromString(bytes->bytes));
          CHECK(reply.text() == text);
        }
        const auto end = co_await talk.finish();
        CHECK(end == weft::status{});
        const auto headers = co_await talk.headers();
        CHECK(headers.find("x-header") != nullptr);
      }(&f.rpc));
    });
  }

  TEST_CASE("a stream by name that is dropped is cancelled") {
    each_way([](way w) {
      named_echo f{w};
      f.echo.run([](const weft::directory* rpc) -> weft::task<> {
        auto opened = rpc->stream("echo.Talk");
        weft::raw_message request{say("hi").SerializeAsString()};
        const auto written = co_await opened.value().write(std::move(request));
        CHECK(written == weft::status{});
        const auto read = co_await opened.value().read();
        CHECK(read.has_value());
      }(&f.rpc));
      CHECK(f.echo.run(f.echo.until_stopped(1)).ok());
    });
  }

  TEST_CASE("a service under a name that is not its own is a misuse") {
    test::check_misuse(
        [] {
          weft::directory rpc;
          bound_echo f{way::local};
          rpc.add("test.v1.Wallet", f.service);
        },
        "directory::add: service 'service' has /test.v1.Echo/Say, which is no method of 'test.v1.Wallet'");
    test::check_misuse(
        [] {
          weft::directory rpc;
          bound_echo f{way::local};
          rpc.add("test/v1", f.service);
        },
        "directory::add: 'test/v1' is no service's full name: \"package.Service\"");
  }
}
