#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/lane.hpp>
#include <weft/runtime/scope.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> note(std::vector<std::string>& log, weft::duration d, std::string what) {
  const auto s = co_await weft::sleep_for(d);
  log.push_back(s.ok() ? what : what + " stopped");
}

}  // namespace

TEST_SUITE("lane") {
  TEST_CASE("jobs of one lane run in order, lanes overlap") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          weft::lane cards{s}, chat{s};
          auto job = [](std::vector<std::string>* log, weft::duration d, std::string what) {
            return note(*log, d, what);
          };
          CHECK(chat.run(job, log, weft::duration{200ms}, std::string{"chat"}).ok());
          CHECK(cards.run(job, log, weft::duration{20ms}, std::string{"card 1"}).ok());
          CHECK(cards.run(job, log, weft::duration{10ms}, std::string{"card 2"}).ok());
          co_return;
        },
        &log));
    CHECK(log == std::vector<std::string>{"card 1", "card 2", "chat"});
  }

  TEST_CASE("a full lane refuses and says so") {
    test::virtual_time t;
    t.run(weft::with_scope([](weft::scope& s) -> weft::task<> {
      weft::lane l{s, {.limit = 1, .name = "chat"}};
      auto job = []() -> weft::task<> { std::ignore = co_await weft::sleep_for(1ms); };
      CHECK(l.run(job).ok());
      CHECK(l.run(job).ok());
      CHECK(l.run(job) == weft::resource_exhausted("chat is full: 1 wait"));
      CHECK(l.refused() == 1);
      co_return;
    }));
  }

  TEST_CASE("a full lane told to drop drops the oldest that waits") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          weft::lane l{s, {.limit = 1, .when_full = weft::drop_oldest}};
          auto job = [](std::vector<std::string>* log, std::string what) { return note(*log, 1ms, what); };
          for (auto* what : {"first", "second", "third"}) CHECK(l.run(job, log, std::string{what}).ok());
          CHECK(l.dropped() == 1);
          co_return;
        },
        &log));
    CHECK(log == std::vector<std::string>{"first", "third"});
  }

  TEST_CASE("a concurrent lane runs so many at a time and no more") {
    test::virtual_time t;
    int most = 0;
    t.run(weft::with_scope(
        [](int* most, weft::scope& s) -> weft::task<> {
          weft::lane l{s, {.width = 3}};
          auto now = std::make_shared<int>(0);
          auto job = [](std::shared_ptr<int> now, int* most) -> weft::task<> {
            *most = std::max(*most, ++*now);
            std::ignore = co_await weft::sleep_for(5ms);
            --*now;
          };
          for (int i = 0; i < 10; ++i) CHECK(l.run(job, now, most).ok());
          co_return;
        },
        &most));
    CHECK(most == 3);
  }

  TEST_CASE("jobs that have not begun when the scope stops are dropped, and new ones refused") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          weft::lane l{s};
          auto job = [](std::vector<std::string>* log, std::string what) { return note(*log, 1h, what); };
          CHECK(l.run(job, log, std::string{"begun"}).ok());
          CHECK(l.run(job, log, std::string{"waiting"}).ok());
          std::ignore = co_await weft::sleep_for(1ms);
          s.stop();
          CHECK(l.run(job, log, std::string{"late"}).code() == weft::code::cancelled);
        },
        &log));
    CHECK(log == std::vector<std::string>{"begun stopped"});
  }

  TEST_CASE("in a lane for the latest the newest replaces what waits") {
    test::virtual_time t;
    std::vector<std::string> log;
    t.run(weft::with_scope(
        [](std::vector<std::string>* log, weft::scope& s) -> weft::task<> {
          weft::lane l{s, {.when_full = weft::latest}};
          auto job = [](std::vector<std::string>* log, std::string what) { return note(*log, 1ms, what); };
          for (auto* what : {"1", "2", "3", "4"}) CHECK(l.run(job, log, std::string{what}).ok());
          CHECK(l.waiting() == 1);
          CHECK(l.dropped() == 2);
          std::ignore = co_await weft::sleep_for(10ms);
          CHECK(l.run(job, log, std::string{"5"}).ok());
          CHECK(l.started() == 3);
          CHECK(l.running() == 1);
          CHECK(l.refused() == 0);
        },
        &log));
    CHECK(log == std::vector<std::string>{"1", "4", "5"});
  }
}
