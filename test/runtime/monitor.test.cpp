#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/visit.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

/// Keeps what is logged; can be waited for.
class reports {
 public:
  weft::log_sink sink() {
    return [this](const weft::log_record& r) {
      std::lock_guard lock{mutex_};
      lines_.push_back(weft::to_string(r));
      more_.notify_all();
    };
  }
  std::vector<std::string> lines() {
    std::lock_guard lock{mutex_};
    return lines_;
  }
  /// Blocks until there are `n`.
  void wait_for(std::size_t n) {
    std::unique_lock lock{mutex_};
    more_.wait(lock, [&] { return lines_.size() >= n; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::string> lines_;
};

bool starts(const std::string& line, std::string_view begin) { return line.starts_with(begin); }

/// Calls that wait behind one that does not end.
weft::task<> call_and_wait(weft::service* s, weft::event* e) {
  std::ignore = co_await s->call([e]() -> weft::task<> { std::ignore = co_await e->wait(); }, weft::within{1h});
}

}  // namespace

TEST_SUITE("monitor") {
  TEST_CASE("a pumped worker reports a long run afterwards, with its handler, strand and time") {
    reports log;
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock, .log = log.sink()}};
    weft::service table{rt, {.name = "table"}};
    auto run_for = [&](weft::duration d) {
      weft::sync_wait(rt, [](weft::service* table, weft::manual_clock* clock, weft::duration d) -> weft::task<> {
        std::ignore = co_await table->call([clock, d] { clock->advance(d); });
      }(&table, &clock, d));
    };
    run_for(99ms);
    CHECK(log.lines().empty());
    run_for(134ms);
    CHECK(log.lines() ==
          std::vector<std::string>{"W 'function' on strand 'table' ran for 134 ms call=function strand=table"});
    table.stop_and_wait();
  }

  TEST_CASE("a long run on a thread is reported while it lasts, and again when it has ended") {
    reports log;
    weft::runtime rt{{.workers = 2, .log = log.sink(), .monitor = {.long_run = 20ms}}};
    for (std::size_t round = 0; round < 2; ++round) {  // the watch sleeps in between, and wakes
      weft::service table{rt, {.name = "table", .worker = 1}};
      std::latch go_on{1};
      REQUIRE(weft::spawn(
          rt.control(), "player",
          [](weft::service* table, std::latch* go_on) -> weft::task<> {
            std::ignore = co_await table->call([go_on] { go_on->wait(); }, weft::within{1h});
          },
          &table, &go_on));
      const auto before = std::size_t{2} * round;
      log.wait_for(before + 1);
      CHECK_MESSAGE(starts(log.lines()[before], "W 'function' on strand 'table' has been running for "),
                    log.lines()[before]);
      go_on.count_down();
      log.wait_for(before + 2);
      CHECK_MESSAGE(starts(log.lines()[before + 1], "W 'function' on strand 'table' has ended, it ran for about "),
                    log.lines()[before + 1]);
      table.stop_and_wait();
    }
    rt.stop();
    CHECK(log.lines().size() == 4);
  }

  TEST_CASE("a mailbox is reported at its limit and each doubling, and anew when it has been empty") {
    reports log;
    weft::runtime rt{{.workers = 0, .log = log.sink(), .monitor = {.mailbox = 4}}};
    weft::service table{rt, {.name = "table", .reentrancy = weft::reentrancy::exclusive}};
    const std::string at_4 = "W service 'table' has 4 calls waiting, 1 handlers in progress strand=table";
    const std::string at_8 = "W service 'table' has 8 calls waiting, 1 handlers in progress strand=table";
    for (int round = 1; round <= 2; ++round) {
      weft::event e;
      for (int i = 0; i < 16; ++i) REQUIRE(weft::spawn(rt.control(), "player", call_and_wait, &table, &e));
      rt.pump(1h);
      CHECK(log.lines().size() == static_cast<std::size_t>(2 * round));
      CHECK(std::ranges::count(log.lines(), at_4) == round);
      CHECK(std::ranges::count(log.lines(), at_8) == round);
      e.set();
      while (rt.pump().more) {
      }
      REQUIRE(table.running() == 0);
    }
    table.stop_and_wait();
  }

  TEST_CASE("mailboxes are reported at 1,024 if nothing else is said, suspended tasks are not") {
    CHECK(weft::monitor_options{}.mailbox == 1'024);
    CHECK(weft::monitor_options{}.long_run == 100ms);
    CHECK(weft::monitor_options{}.suspended == weft::duration::zero());
  }

  TEST_CASE("a task that waits for longer than the limit is reported once, its next wait again") {
    reports log;
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock, .log = log.sink(), .monitor = {.suspended = 1s}}};
    weft::event first;
    weft::event second;
    REQUIRE(weft::spawn(
        rt.control(), "player",
        [](weft::event* first, weft::event* second) -> weft::task<> {
          co_await weft::annotate("player", 7);
          std::ignore = co_await first->wait();
          std::ignore = co_await second->wait();
        },
        &first, &second));
    auto pass = [&](weft::duration d) {
      for (weft::duration passed{}; passed < d; passed += 50ms) {
        clock.advance(50ms);
        rt.pump();
      }
    };
    rt.pump();
    pass(900ms);
    CHECK(log.lines().empty());
    pass(5s);
    REQUIRE(log.lines().size() == 1);
    CHECK_MESSAGE(starts(log.lines()[0], "W task 'player' has waited for event for 1"), log.lines()[0]);
    CHECK_MESSAGE(log.lines()[0].ends_with(" ms player=7 strand=control"), log.lines()[0]);
    first.set();
    pass(5s);
    CHECK(log.lines().size() == 2);
    second.set();
  }

  TEST_CASE("of many tasks that wait for long ten are named and the rest is counted") {
    reports log;
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock, .log = log.sink(), .monitor = {.suspended = 1s}}};
    weft::event e;
    for (int i = 0; i < 25; ++i) {
      REQUIRE(weft::spawn(
          rt.control(), "player", [](weft::event* e) -> weft::task<> { std::ignore = co_await e->wait(); }, &e));
    }
    rt.pump();
    clock.advance(2s);
    rt.pump();
    const auto lines = log.lines();
    REQUIRE(lines.size() == 11);
    CHECK(lines.back() == "W 15 more tasks of worker 0 wait for long: see weft::dump");
    e.set();
  }
}
