// Lanes of a session that stop at a gap.
#include <weft/rpc/session.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/server.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>

#include "../support/session_ends.hpp"
#include "test/v1/echo.weft.hpp"

using namespace std::chrono_literals;
using test::ends;
using test::outcomes;
using test::say;
using test::v1::Echo;
using weft::code;

TEST_SUITE("session: gapless lanes") {
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
}
