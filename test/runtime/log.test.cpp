#include <doctest/doctest.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/log.hpp>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/snapshot.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/test/world.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

/// Keeps what is logged, on whatever thread.
class kept_log {
 public:
  weft::log_sink sink() {
    return [this](const weft::log_record& r) {
      std::lock_guard lock{mutex_};
      lines_.push_back(weft::to_string(r));
    };
  }
  std::vector<std::string> lines() {
    std::lock_guard lock{mutex_};
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

weft::task<> say(const char* text) { weft::log(co_await weft::current(), weft::severity::info, text); }

struct room : weft::service {
  room(weft::runtime& rt, int worker) : service{rt, {.name = "room", .worker = worker}} { annotate("room", "42"); }
};

}  // namespace

TEST_SUITE("log") {
  TEST_CASE("a record as text is severity, text and key=value, quoted where they must be") {
    const weft::log_field fields[] = {{"player", "7"}, {"name", "Ada L."}, {"said", "a\"b=\\c\n"}, {"empty", ""}};
    CHECK(weft::to_string(weft::log_record{weft::severity::warning, "two seats", fields}) ==
          R"(W two seats player=7 name="Ada L." said="a\"b=\\c\n" empty="")");
    CHECK(weft::to_string(weft::log_record{weft::severity::error, "x"}) == "E x");
    CHECK(weft::to_string(weft::log_record{weft::severity::info, "x"}) == "I x");
  }

  TEST_CASE("a logger that takes text only gets the text") {
    std::string got;
    weft::runtime rt{{.workers = 0, .log = [&got](std::string_view text) { got = text; }}};
    const weft::log_field fields[] = {{"player", "7"}};
    rt.log(weft::severity::error, "hello", fields);
    CHECK(got == "hello");
  }

  TEST_CASE("a task's lines carry its annotations and its strand; said again, the last one counts") {
    kept_log log;
    weft::runtime rt{{.workers = 0, .log = log.sink()}};
    weft::sync_wait(rt, []() -> weft::task<> {
      co_await say("before");
      co_await weft::annotate("player", 7);
      co_await say("player");
      co_await weft::annotate("room", "a");
      co_await weft::annotate("room", "b");
      co_await say("room");
    }());
    CHECK(log.lines() == std::vector<std::string>{"I before strand=control", "I player player=7 strand=control",
                                                  "I room room=b player=7 strand=control"});
  }

  TEST_CASE("what the body of a scope says holds for what it starts, not for who opened the scope beside it") {
    kept_log log;
    weft::runtime rt{{.workers = 0, .log = log.sink()}};
    weft::sync_wait(rt, []() -> weft::task<> {
      co_await weft::with_scope([](weft::scope& s) -> weft::task<> {
        co_await weft::annotate("player", 7);
        co_await s.start(say("child"));
      });
      co_await say("after");
    }());
    CHECK(log.lines() == std::vector<std::string>{"I child player=7 strand=control", "I after strand=control"});
  }

  TEST_CASE("a handler's lines carry the caller's annotations, the service's, its method and strand, on any worker") {
    for (const int worker : {0, 1}) {
      kept_log log;
      weft::runtime rt{{.workers = 2, .log = log.sink()}};
      room r{rt, worker};
      weft::sync_wait(rt, [](room* r) -> weft::task<> {
        co_await weft::annotate("player", 7);
        std::ignore = co_await r->call([] { return say("played"); });
      }(&r));
      weft::sync_wait(
          rt, [](room* r) -> weft::task<> { std::ignore = co_await r->call([] { return say("looked"); }); }(&r));
      r.stop_and_wait();
      CHECK(log.lines() == std::vector<std::string>{"I played player=7 room=42 call=function strand=room",
                                                    "I looked room=42 call=function strand=room"});
    }
  }

  TEST_CASE("an exception that escapes is reported as an error, with whose it was") {
    kept_log log;
    weft::runtime rt{{.workers = 0, .log = log.sink()}};
    REQUIRE(weft::spawn(rt.control(), "player", []() -> weft::task<> {
      co_await weft::annotate("player", 7);
      throw std::runtime_error{"oops"};
    }));
    rt.pump(1h);
    CHECK(log.lines() ==
          std::vector<std::string>{"E an exception escaped from task 'player': oops player=7 strand=control"});
  }

  TEST_CASE("a suspended task is listed with its annotations") {
    weft::runtime rt{{.workers = 0}};
    REQUIRE(weft::spawn(rt.control(), "player", []() -> weft::task<> {
      co_await weft::annotate("player", 7);
      std::ignore = co_await weft::sleep_for(1h);
    }));
    rt.pump(1h);
    const auto all = weft::snapshot(rt);
    REQUIRE(all.workers[0].tasks.size() == 1);
    CHECK(all.workers[0].tasks[0].annotations == std::vector<std::pair<std::string, std::string>>{{"player", "7"}});
    CHECK(weft::to_string(all).find(", player=7\n") != std::string::npos);
  }

  TEST_CASE("what was annotated goes along with run_on and calls") {
    std::vector<std::string> lines;
    weft::test::world w{{.log = [&lines](const weft::log_record& r) { lines.push_back(weft::to_string(r)); }}};
    weft::strand other{w, {.name = "other"}};
    weft::service s{w, {.name = "s"}};
    w.run([](weft::strand* other, weft::service* s) -> weft::task<> {
      co_await weft::annotate("player", 7);
      const auto say = []() -> weft::task<weft::status> {
        weft::log(co_await weft::current(), weft::severity::info, "here");
        co_return weft::status{};
      };
      CHECK((co_await weft::run_on(*other, say)).ok());
      CHECK((co_await s->call(say)).ok());
    }(&other, &s));
    for (const auto& l : lines) CHECK_MESSAGE(l.find("player=7") != std::string::npos, l);
    w.run(s.stop());
  }
}
