// What a call promises, whatever way it goes: the same suite over every binding, and in every loop of samples/embed.
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/bound_echo.hpp"

using namespace std::chrono_literals;
using test::each_way_and_loop;
using test::say;
using test::way;
using fixture = test::bound_echo;
using test::v1::EchoReply;
using test::v1::FailRequest;

TEST_SUITE("conformance") {
  TEST_CASE("a call yields the reply and resumes on the caller's strand") {
    each_way_and_loop([](way w) {
      fixture f{w};
      const auto text = f.run([](fixture* f) -> weft::task<std::string> {
        const auto* before = weft::worker::current_strand();
        auto reply = co_await f->client.Say(say("hello", 1ms));
        co_return weft::worker::current_strand() == before&& reply.ok() ? reply->text() : "wrong";
      }(&f));
      CHECK(text == "hello");
    });
  }

  TEST_CASE("an lvalue request is left as it was") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.run([](fixture* f) -> weft::task<> {
        auto request = say("again");
        request.set_payload(std::string(100'000, 'x'));
        for (int i = 0; i < 3; ++i) {
          auto reply = co_await f->client.Say(request);
          CHECK(reply->payload().size() == 100'000);
        }
        CHECK(request.payload().size() == 100'000);
      }(&f));
    });
  }

  TEST_CASE("the handler's error arrives with its code and message") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.run([](fixture* f) -> weft::task<> {
        for (int c = 1; c <= 16; ++c) {
          FailRequest request;
          request.set_code(c);
          request.set_message("no. " + std::to_string(c));
          auto reply = co_await f->client.Fail(request);
          CHECK(reply.code() == static_cast<weft::code>(c));
          CHECK(reply.status().message() == request.message());
        }
      }(&f));
    });
  }

  TEST_CASE("an exception arrives as UNKNOWN without its text") {
    each_way_and_loop([](way w) {
      fixture f{w};
      auto reply = f.run(weft::as_task(f.client.Throw(say("secret"))));
      CHECK(reply.status() == weft::unknown_error("the handler failed"));
    });
  }

  TEST_CASE("a method that is not overridden answers UNIMPLEMENTED") {
    each_way_and_loop([](way w) {
      fixture f{w};
      CHECK(f.run(weft::as_task(f.client.Missing(say("")))).code() == weft::code::unimplemented);
    });
  }

  TEST_CASE("at the deadline the caller gets DEADLINE_EXCEEDED and the handler is stopped") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.until_stopped_by_limit([&f](weft::duration limit) {
        auto reply = f.run(weft::as_task(f.client.Say(say("slow", 1h), weft::within{limit})));
        CHECK(reply.status() == weft::deadline_exceeded("/test.v1.Echo/Say took too long"));
      });
      CHECK(f.run(f.until([&f] { return f.service.begun == f.service.stopped; })).ok());
    });
  }

  TEST_CASE("a deadline in the past completes once, with DEADLINE_EXCEEDED, and the method does not run") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.run([](fixture* f) -> weft::task<> {
        for (int i = 0; i < 100; ++i) {
          auto reply = co_await f->client.Say(say("late"), weft::within{0ms});
          CHECK(reply.code() == weft::code::deadline_exceeded);
        }
      }(&f));
      CHECK(f.inside([&] { return f.service.begun.load(); }) == 0);
    });
  }

  TEST_CASE("a stopped caller is released with CANCELLED and its handler is stopped") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.run(weft::with_scope(
          [](fixture* f, weft::scope& s) -> weft::task<> {
            auto call = s.start(f->client.Say(say("slow", 1h)));
            for (int begun = 0; begun == 0;) {
              auto n = co_await f->service.call([f] { return f->service.begun.load(); });
              begun = *n;
            }
            call.stop();
            auto reply = co_await std::move(call);
            CHECK(reply.code() == weft::code::cancelled);
          },
          &f));
      CHECK(f.run(f.until_stopped(1)).ok());
    });
  }

  TEST_CASE("the caller's deadline reaches the handler") {
    each_way_and_loop([](way w) {
      fixture f{w};
      const auto left = f.run([](fixture* f) -> weft::task<weft::result<std::int64_t>> {
        auto ask = [](fixture* f) -> weft::task<weft::result<std::int64_t>> {
          auto reply = co_await weft::ok(f->client.Say(say("")));
          co_return reply.left_us();
        };
        co_return co_await weft::with_timeout(700ms, ask(f));
      }(&f));
      CHECK(*left > 0);
      CHECK(*left <= 710'000);
    });
  }

  TEST_CASE("without a limit of its own a call has the default deadline") {
    each_way_and_loop([](way w) {
      fixture f{w};
      auto reply = f.run(weft::as_task(f.client.Say(say(""))));
      CHECK(reply->left_us() > 3'000'000);
      CHECK(reply->left_us() <= 5'100'000);  // gRPC rounds what it puts on the wire up
    });
  }

  TEST_CASE("a full service answers RESOURCE_EXHAUSTED and finishes what it took") {
    each_way_and_loop([](way w) {
      fixture f{w, {.name = "small", .reentrancy = weft::reentrancy::exclusive, .mailbox = 3}};
      f.run(weft::with_scope(
          [](fixture* f, weft::scope& s) -> weft::task<> {
            std::vector<weft::started<weft::result<EchoReply>>> calls;
            for (int i = 0; i < 20; ++i) calls.push_back(s.start(f->client.Say(say("x", 20ms))));
            int good = 0, refused = 0;
            for (auto& call : calls) {
              auto reply = co_await std::move(call);
              good += reply.ok() ? 1 : 0;
              refused += reply.code() == weft::code::resource_exhausted ? 1 : 0;
            }
            CHECK(good >= 3);
            CHECK(good + refused == 20);
          },
          &f));
    });
  }

  TEST_CASE("a stopped service answers UNAVAILABLE") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.service.stop_and_wait();
      CHECK(f.run(weft::as_task(f.client.Say(say("")))).code() == weft::code::unavailable);
    });
  }

  TEST_CASE("a call that has ended says whether the method may have run") {
    each_way_and_loop([](way w) {
      fixture f{w};
      bool ran = false;
      const auto asking = [&ran](weft::duration limit = 5s) {
        return weft::call_options{weft::within{limit}}.may_have_run_into(ran);
      };
      CHECK(f.run(weft::as_task(f.client.Say(say("hi"), asking()))).ok());
      CHECK(ran);
      ran = false;
      FailRequest failing;
      failing.set_code(5);
      CHECK(f.run(weft::as_task(f.client.Fail(failing, asking()))).code() == weft::code::not_found);
      CHECK(ran);
      ran = false;
      f.until_stopped_by_limit([&](weft::duration limit) {
        ran = false;
        const auto late = f.run(weft::as_task(f.client.Say(say("slow", 1h), asking(limit))));
        CHECK(late.code() == weft::code::deadline_exceeded);
      });
      CHECK(ran);
      CHECK(f.run(weft::as_task(f.client.Say(say("late"), asking(0ms)))).code() == weft::code::deadline_exceeded);
      CHECK_FALSE(ran);
      f.service.stop_and_wait();
      ran = true;
      CHECK(f.run(weft::as_task(f.client.Say(say("hi"), asking()))).code() == weft::code::unavailable);
      CHECK_FALSE(ran);
    });
  }

  TEST_CASE("a one-way call arrives") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.run([](fixture* f) -> weft::task<> {
        CHECK(f->client.send.Say(say("hey")).ok());
        co_return;
      }(&f));
      CHECK(f.run(f.until([&f] { return f.service.begun == 1; })).ok());
    });
  }

  TEST_CASE("the three forms of a call overlap as they promise: awaited, started and awaited later, one way") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.run(weft::with_scope(
          [](fixture* f, weft::scope& s) -> weft::task<> {
            auto later = s.start(f->client.Say(say("later", 20ms)));
            CHECK(f->client.send.Say(say("one way")).ok());
            auto now = co_await f->client.Say(say("now"));
            CHECK(now->text() == "now");
            CHECK_FALSE(later.done());
            auto late = co_await std::move(later);
            CHECK(late->text() == "later");
          },
          &f));
    });
  }

  TEST_CASE("a thousand calls at once all complete, each with its own reply") {
    each_way_and_loop([](way w) {
      fixture f{w};
      f.run(weft::with_scope(
          [](fixture* f, weft::scope& s) -> weft::task<> {
            std::vector<weft::started<weft::result<EchoReply>>> calls;
            for (int i = 0; i < 1000; ++i) calls.push_back(s.start(f->client.Say(say(std::to_string(i)))));
            int right = 0;
            for (std::size_t i = 0; i < calls.size(); ++i) {
              auto reply = co_await std::move(calls[i]);
              right += reply.ok() && reply->text() == std::to_string(i) ? 1 : 0;
            }
            CHECK(right == 1000);
          },
          &f));
    });
  }
}
