// What a streaming call promises, whatever way it goes: the same suite over every binding.
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/bound_echo.hpp"

using namespace std::chrono_literals;
using test::bound_echo;
using test::each_way;
using test::say;
using test::way;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::RepeatRequest;

namespace {

RepeatRequest repeat(std::string text, int times, std::chrono::microseconds delay = 0us) {
  RepeatRequest r;
  r.set_text(std::move(text));
  r.set_times(times);
  r.set_delay_us(delay.count());
  return r;
}

struct heard {
  std::vector<std::string> texts;
  weft::status end;
};

weft::task<heard> listen(Echo::client echo, RepeatRequest request, weft::call_options options = {}) {
  heard h;
  auto feed = echo.Repeat(std::move(request), options);
  while (auto reply = co_await feed.read()) h.texts.push_back(reply->text());
  h.end = co_await feed.finish();
  co_return h;
}

}  // namespace

TEST_SUITE("streams") {
  TEST_CASE("a server's stream is read to its end, in order, on the caller's strand") {
    each_way([](way w) {
      bound_echo f{w};
      const auto h = f.run([](Echo::client echo) -> weft::task<heard> {
        const auto* before = weft::worker::current_strand();
        auto h = co_await listen(echo, repeat("again", 100));
        CHECK(weft::worker::current_strand() == before);
        co_return h;
      }(f.client));
      CHECK(h.end == weft::status{});
      CHECK(h.texts == std::vector<std::string>(100, "again"));
    });
  }

  TEST_CASE("a stream of nothing ends at once") {
    each_way([](way w) {
      bound_echo f{w};
      const auto h = f.run(listen(f.client, repeat("never", 0)));
      CHECK(h.end == weft::status{});
      CHECK(h.texts.empty());
    });
  }

  TEST_CASE("finish drops what was not read, and the handler writes to its end") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto feed = echo.Repeat(repeat("unread", 200));
        std::ignore = co_await feed.read();
        co_return co_await feed.finish();
      }(f.client));
      CHECK(end == weft::status{});
      CHECK(f.inside([&f] { return f.service.written; }) == 200);
    });
  }

  TEST_CASE("a reader that does not read suspends the handler") {
    each_way([](way w) {
      bound_echo f{w};
      const auto written = f.run([](bound_echo* f) -> weft::task<int> {
        auto feed = f->client.Repeat(repeat(std::string(100'000, 'x'), 1'000), weft::within{1h});
        std::ignore = co_await feed.read();
        int seen = 0;
        for (int now = 1; now != seen;) {  // until it stands still
          seen = now;
          std::ignore = co_await weft::sleep_for(100ms);
          now = *co_await f->service.call([f] { return f->service.written; });
        }
        co_return seen;
      }(&f));
      // 16 in the stream and, over the network, what gRPC and the sockets hold beside: some megabytes.
      CHECK(written >= 16);
      CHECK(written < 500);
    });
  }

  TEST_CASE("requests are joined into one reply") {
    each_way([](way w) {
      bound_echo f{w};
      const auto reply = f.run([](Echo::client echo) -> weft::reply<EchoReply> {
        auto up = echo.Join();
        for (const char* text : {"one", "two", "three"}) {
          auto request = say(text);
          CHECK((co_await up.write(std::move(request))).ok());
        }
        co_return co_await up.finish();
      }(f.client));
      REQUIRE(reply.ok());
      CHECK(reply->text() == "one two three");
    });
  }

  TEST_CASE("a stream of no requests gets its reply") {
    each_way([](way w) {
      bound_echo f{w};
      const auto reply = f.run([](Echo::client echo) -> weft::reply<EchoReply> {
        auto up = echo.Join();
        co_return co_await up.finish();
      }(f.client));
      REQUIRE(reply.ok());
      CHECK(reply->text().empty());
    });
  }

  TEST_CASE("a handler that fails early ends the writes, and finish says why") {
    each_way([](way w) {
      bound_echo f{w};
      const auto outcome = f.run([](Echo::client echo) -> weft::reply<EchoReply> {
        auto up = echo.Join();
        auto fail = say("fail");
        CHECK((co_await up.write(std::move(fail))).ok());
        weft::status s;
        int found_room = 0;
        for (; s.ok(); ++found_room) {
          auto more = say("more");
          s = co_await up.write(std::move(more));
        }
        CHECK(found_room < 50'000);  // gRPC reads its sockets although there is always something to write
        CHECK(s.code() == weft::code::failed_precondition);
        co_return co_await up.finish();
      }(f.client));
      CHECK(outcome.status() == weft::aborted("as asked"));
    });
  }

  TEST_CASE("both sides talk in turn, and the call ends after writes_done") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto talk = echo.Talk();
        for (int i = 0; i < 50; ++i) {
          auto request = say(std::to_string(i));
          CHECK((co_await talk.write(std::move(request))).ok());
          const auto reply = co_await talk.read();
          CHECK((reply && reply->text() == std::to_string(i)));
        }
        talk.writes_done();
        CHECK_FALSE((co_await talk.read()).has_value());
        auto late = say("late");
        CHECK_FALSE((co_await talk.write(std::move(late))).ok());
        co_return co_await talk.finish();
      }(f.client));
      CHECK(end == weft::status{});
    });
  }

  TEST_CASE("who waits for headers learns with the first reply that there are none") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](Echo::client echo) -> weft::task<> {
        auto talk = echo.Talk();
        auto request = say("a");
        CHECK((co_await talk.write(std::move(request))).ok());
        const auto headers = co_await talk.headers();
        CHECK(headers.empty());
        const auto reply = co_await talk.read();
        CHECK((reply && reply->text() == "a"));
        talk.writes_done();
        CHECK((co_await talk.finish()).ok());
      }(f.client));
    });
  }

  TEST_CASE("a handler may end before the requests do") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto talk = echo.Talk();
        auto bye = say("bye");
        CHECK((co_await talk.write(std::move(bye))).ok());
        const auto reply = co_await talk.read();
        CHECK((reply && reply->text() == "bye"));
        CHECK_FALSE((co_await talk.read()).has_value());
        co_return co_await talk.finish();
      }(f.client));
      CHECK(end == weft::status{});
    });
  }

  TEST_CASE("an error follows the replies that were written before it") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto talk = echo.Talk();
        for (const char* text : {"a", "b", "fail"}) {
          auto request = say(text);
          CHECK((co_await talk.write(std::move(request))).ok());
        }
        std::string all;
        while (auto reply = co_await talk.read()) all += reply->text();
        CHECK(all == "ab");
        co_return co_await talk.finish();
      }(f.client));
      CHECK(end == weft::aborted("as asked"));
    });
  }

  TEST_CASE("several writers on one stream keep each one's order") {
    each_way([](way w) {
      bound_echo f{w};
      constexpr int writers = 4, each = 200;
      f.run(weft::with_scope(
          [](Echo::client echo, weft::scope& s) -> weft::task<> {
            auto talk = echo.Talk(weft::within{60s});
            using call = decltype(talk);
            for (int n = 0; n < writers; ++n) {
              std::ignore = s.start(
                  [](call* talk, int n) -> weft::task<> {
                    for (int i = 0; i < each; ++i) {
                      auto request = say(std::to_string(n) + ":" + std::to_string(i));
                      CHECK((co_await talk->write(std::move(request))).ok());
                    }
                  },
                  &talk, n);
            }
            std::array<int, writers> next{};
            for (int i = 0; i < writers * each; ++i) {
              const auto reply = co_await talk.read();
              REQUIRE(reply);
              const auto n = static_cast<std::size_t>(reply->text().front() - '0');
              CHECK(reply->text() == std::to_string(n) + ":" + std::to_string(next.at(n)++));
            }
            CHECK((co_await talk.finish()).ok());
          },
          f.client));
    });
  }

  TEST_CASE("at its deadline a stream ends with DEADLINE_EXCEEDED, and its handler is stopped") {
    each_way([](way w) {
      bound_echo f{w};
      f.until_stopped_by_limit([&f](weft::duration limit) {
        const auto h = f.run(listen(f.client, repeat("late", 2, 1h), weft::within{limit}));
        CHECK(h.end.code() == weft::code::deadline_exceeded);
        CHECK(h.end.message().find("Repeat took too long") != std::string::npos);
      });
    });
  }

  TEST_CASE("a caller that is stopped ends its stream, and its handler is stopped") {
    each_way([](way w) {
      bound_echo f{w};
      f.until_stopped_by_limit([&f](weft::duration limit) {
        f.run([](bound_echo* f, weft::duration limit) -> weft::task<> {
          auto feed = f->client.Repeat(repeat("never", 1, 1h), weft::within{1h});
          const auto end = co_await weft::with_timeout(limit, feed.finish());
          CHECK(end.code() == weft::code::deadline_exceeded);
        }(&f, limit));
      });
    });
  }

  TEST_CASE("a handle that is dropped cancels its call") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](bound_echo* f) -> weft::task<> {
        auto talk = f->client.Talk(weft::within{1h});
        auto hello = say("hello");
        CHECK((co_await talk.write(std::move(hello))).ok());
        CHECK((co_await talk.read()).has_value());
      }(&f));
      CHECK(f.run(f.until_stopped(1)).ok());
    });
  }

  TEST_CASE(
      "a call that is cancelled ends with CANCELLED, and its handler is stopped; one that has not begun never does") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](bound_echo* f) -> weft::task<> {
        auto talk = f->client.Talk(weft::within{1h});
        const auto hello = say("hello");
        CHECK((co_await talk.write(hello)).ok());
        CHECK((co_await talk.read()).has_value());
        talk.cancel();
        CHECK_FALSE((co_await talk.read()).has_value());
        CHECK((co_await talk.write(hello)).code() == weft::code::failed_precondition);
        const auto end = co_await talk.finish();
        CHECK(end == weft::cancelled("the caller cancelled the call"));

        auto begun = f->client.Talk(weft::within{1h});
        co_await begun.start();
        begun.cancel();
        CHECK((co_await begun.finish()).code() == weft::code::cancelled);

        auto unused = f->client.Talk(weft::within{1h});
        unused.cancel();
        CHECK_FALSE((co_await unused.read()).has_value());
        CHECK((co_await unused.finish()).code() == weft::code::cancelled);
      }(&f));
      CHECK(f.run(f.until([&f] { return f.service.running() == 1; })).ok());
      CHECK(f.inside([&f] { return f.service.talked; }) == 0);
    });
  }

  TEST_CASE("a handle that was never used begins nothing") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](bound_echo* f) -> weft::task<> {
        auto talk = f->client.Talk();
        talk.writes_done();
        auto feed = f->client.Repeat(repeat("unused", 1));
        co_return;
      }(&f));
      CHECK(f.inside([&f] { return f.service.begun.load(); }) == 0);
    });
  }

  TEST_CASE("a method that is not overridden is UNIMPLEMENTED") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto talk = echo.MissingStream();
        CHECK_FALSE((co_await talk.read()).has_value());
        co_return co_await talk.finish();
      }(f.client));
      CHECK(end.code() == weft::code::unimplemented);
    });
  }

  TEST_CASE("a service that is full refuses a stream") {
    each_way([](way w) {
      bound_echo f{w, {.mailbox = 0, .running = 1}};
      f.run([](bound_echo* f) -> weft::task<> {
        auto first = f->client.Talk(weft::within{1h});
        auto hello = say("hello");
        CHECK((co_await first.write(std::move(hello))).ok());
        CHECK((co_await first.read()).has_value());
        const auto h = co_await listen(f->client, repeat("refused", 1));
        CHECK(h.texts.empty());
        CHECK(h.end.code() == weft::code::resource_exhausted);
        CHECK((co_await first.finish()).ok());
      }(&f));
    });
  }

  TEST_CASE("a handle that is dropped with replies waiting lets go of everything") {
    each_way([](way w) {
      bound_echo f{w};
      f.run([](bound_echo* f) -> weft::task<> {
        auto feed = f->client.Repeat(repeat("unread", 1'000), weft::within{1h});
        CHECK((co_await feed.read()).has_value());
        std::ignore = co_await weft::sleep_for(20ms);  // until no more is on its way
      }(&f));
      const auto over = [&f] { return f.service.running() == 1; };
      CHECK(f.run(f.until(over)).ok());
      f.run([](bound_echo* f) -> weft::task<> {
        const auto& counters = f->rt.queue().counters();  // of worker 0, as this
        while (counters.calls != 0) std::ignore = co_await weft::sleep_for(1ms);
      }(&f));
    });
  }

  TEST_CASE("a writer that waits for a reader is released at the deadline") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto talk = echo.Talk(weft::within{200ms});
        const auto big = say(std::string(100'000, 'x'));
        weft::status s;
        while (s.ok()) s = co_await talk.write(big);  // and reads nothing
        CHECK(s.code() == weft::code::failed_precondition);
        co_return co_await talk.finish();
      }(f.client));
      CHECK(end.code() == weft::code::deadline_exceeded);
    });
  }

  TEST_CASE("a handler that never waits is stopped while its caller drops what it writes") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto feed = echo.Repeat(repeat("unread", 1 << 30), weft::within{50ms});
        co_return co_await feed.finish();
      }(f.client));
      CHECK(end.code() == weft::code::deadline_exceeded);
    });
  }

  TEST_CASE("a handler that throws ends both directions with UNKNOWN") {
    each_way([](way w) {
      bound_echo f{w};
      const auto end = f.run([](Echo::client echo) -> weft::task<weft::status> {
        auto talk = echo.Talk();
        auto request = say("throw");
        CHECK((co_await talk.write(std::move(request))).ok());
        CHECK_FALSE((co_await talk.read()).has_value());
        weft::status s;
        while (s.ok()) s = co_await talk.write(say("more"));
        CHECK(s.code() == weft::code::failed_precondition);
        co_return co_await talk.finish();
      }(f.client));
      CHECK(end == weft::unknown_error("the handler failed"));
    });
  }

  TEST_CASE("a request that is no message stops the handler, and is answered with INVALID_ARGUMENT") {
    for (const auto w : {way::unary, way::unary_other_worker}) {
      bound_echo f{w};
      const auto outcome = f.run([](Echo::client echo) -> weft::reply<EchoReply> {
        auto up = echo.Join();
        auto good = say("good");
        CHECK((co_await up.write(std::move(good))).ok());
        auto malformed = say("\xff");  // no UTF-8
        CHECK((co_await up.write(std::move(malformed))).ok());
        co_return co_await up.finish();
      }(f.client));
      CHECK(outcome.status() == weft::invalid_argument("the bytes are not a valid test.v1.EchoRequest"));
      CHECK(f.inside([&f] { return f.service.joined; }) == 0);
      CHECK(f.inside([&f] { return f.service.stopped; }) == 1);
    }
  }

  TEST_CASE("a reply that is no message ends the call with INTERNAL at once") {
    for (const auto w : {way::unary, way::unary_other_worker}) {
      bound_echo f{w};
      const auto h = f.run(listen(f.client, repeat("malformed", 2, 1s), weft::within{1h}));
      CHECK(h.texts.empty());
      CHECK(h.end == weft::internal_error("the bytes are not a valid test.v1.EchoReply"));
    }
  }

  TEST_CASE("a request that is too large is never taken for the end of the requests") {
    for (const auto w : {way::unary, way::unary_other_worker}) {
      bound_echo f{w};
      const auto outcome = f.run([](Echo::client echo) -> weft::reply<EchoReply> {
        auto up = echo.Join();
        auto large = say(std::string(5U << 20U, 'x'));
        std::ignore = co_await up.write(std::move(large));
        co_return co_await up.finish();
      }(f.client));
      CHECK(outcome.code() == weft::code::resource_exhausted);
      CHECK(f.inside([&f] { return f.service.joined; }) == 0);
    }
  }

  TEST_CASE("a client that goes in the middle of its requests is never taken for one that has sent its last") {
    each_way([](way w) {
      bound_echo f{w};
      constexpr int clients = 300;
      f.run([](bound_echo* f) -> weft::task<> {
        for (int i = 0; i < clients; ++i) {
          auto up = f->client.Join(weft::within{60s});
          auto talk = f->client.Talk(weft::within{60s});
          for (int n = 0; n <= i % 5; ++n) {
            auto part = say("part");
            std::ignore = co_await up.write(part);
            std::ignore = co_await talk.write(std::move(part));
            if (i % 2 == 0) std::ignore = co_await talk.read();
          }
          if (i % 3 == 0) std::ignore = co_await weft::sleep_for(1ms);
        }
      }(&f));
      CHECK(f.run(f.until([&f] { return f.service.running() == 1; })).ok());  // the one that looks
      CHECK(f.inside([&f] { return f.service.joined; }) == 0);
      CHECK(f.inside([&f] { return f.service.talked; }) == 0);
    });
  }
}
