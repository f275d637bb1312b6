#include <doctest/doctest.h>

#include <string>
#include <tuple>
#include <weft/runtime/dump.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

/// A call as generated code makes it: with the name of its method.
class say final : public weft::local_call<int> {
 public:
  explicit say(weft::service& to) : local_call{to, "/test.Chat/Say"} {}

 private:
  weft::reply<int> make_handler() override {
    std::ignore = co_await weft::sleep_for(1h);
    co_return 1;
  }
};

weft::task<> player(weft::event* e, weft::service* chat) {
  std::ignore = co_await e->wait();
  std::ignore = co_await weft::call<int>{weft::held_call<int>{new say{*chat}}, weft::within{2h}};
}

bool has_line(const std::string& dump, const std::string& begin) {
  return dump.starts_with(begin) || dump.find("\n" + begin) != std::string::npos;
}

}  // namespace

TEST_SUITE("dump") {
  TEST_CASE("a suspended task is listed with what it awaits, since when, on which strand, and where") {
    test::virtual_time t;
    weft::event e;
    weft::strand lobby{t.rt, {.name = "lobby"}};
    REQUIRE(
        weft::spawn(lobby, "player 7", [](weft::event* e) -> weft::task<> { std::ignore = co_await e->wait(); }, &e));
    t.rt.pump();
    t.clock.advance(134ms);
    const auto text = weft::dump(t.rt);
    CHECK_MESSAGE(has_line(text, "player 7: event for 134 ms, on lobby, at test_runtime+0x"), text);
    e.set();
    t.rt.pump();
    CHECK(weft::dump(t.rt).empty());
  }

  TEST_CASE("a task below others is shown with its path, and who only waits for it is not shown again") {
    test::virtual_time t;
    weft::event e;
    REQUIRE(weft::spawn(
        t.rt.control(), "player",
        [](weft::event* e) -> weft::task<> {
          co_await weft::with_scope(
              [](weft::event* e, weft::scope& s) -> weft::task<> {
                std::ignore = s.start(weft::shield(e->wait(), 1h), "leaving");
                std::ignore = co_await weft::sleep_for(1h);
              },
              e);
        },
        &e));
    t.rt.pump();
    t.clock.advance(5ms);
    const auto text = weft::dump(t.rt);
    CHECK_MESSAGE(has_line(text, "player / scope / scope body: sleep for 5 ms, on control, at "), text);
    CHECK_MESSAGE(has_line(text, "player / scope / leaving / shield: event for 5 ms, on control, at "), text);
    CHECK(std::count(text.begin(), text.end(), '\n') == 2);
    e.set();
  }

  TEST_CASE("a call is shown by its method, and its handler under its service") {
    test::virtual_time t;
    weft::event e;
    weft::service chat{t.rt, {.name = "chat"}};
    REQUIRE(weft::spawn(t.rt.control(), "player", player, &e, &chat));
    t.rt.pump();
    t.clock.advance(10ms);
    e.set();
    t.rt.pump();
    t.clock.advance(20ms);
    const auto text = weft::dump(t.rt);
    CHECK_MESSAGE(has_line(text, "player: /test.Chat/Say for 20 ms, on control, at "), text);
    CHECK_MESSAGE(has_line(text, "chat / /test.Chat/Say: sleep for 20 ms, on chat, at "), text);
    t.run(chat.stop(weft::stop_mode::abort));
  }

  TEST_CASE("a service's own task is shown by the name that it was started with") {
    test::virtual_time t;
    weft::service table{t.rt, {.name = "table"}};
    table.start("turn timer", [](weft::duration d) -> weft::task<> { std::ignore = co_await weft::sleep_for(d); }, 15s);
    table.start([]() -> weft::task<> { std::ignore = co_await weft::sleep_for(1h); });
    t.rt.pump();
    const auto text = weft::dump(t.rt);
    CHECK_MESSAGE(has_line(text, "table / turn timer: sleep for 0 ms, on table, at "), text);
    CHECK_MESSAGE(has_line(text, "table / own task: sleep for 0 ms, on table, at "), text);
    t.run(table.stop());
  }

  TEST_CASE("the tasks of every worker are listed, and counted on each") {
    weft::runtime rt{{.workers = 2}};
    weft::strand far{rt, {.name = "far", .worker = 1}};
    std::atomic<int> begun{0};
    const auto wait = [](std::atomic<int>* begun) -> weft::task<> {
      begun->fetch_add(1);
      begun->notify_one();
      std::ignore = co_await weft::sleep_for(1h);
    };
    REQUIRE(weft::spawn(rt.control(), "near task", wait, &begun));
    REQUIRE(weft::spawn(far, "far task", wait, &begun));
    for (int now = begun; now < 2; now = begun) begun.wait(now);
    const auto text = weft::dump(rt);
    CHECK_MESSAGE(has_line(text, "near task: sleep for "), text);
    CHECK_MESSAGE(has_line(text, "far task: sleep for "), text);
    std::size_t live = 0;
    weft::visit(rt.worker_at(1), [&] { live = weft::live_tasks_here(); });
    CHECK(live == 1);
    rt.stop();
    CHECK(weft::dump(rt).empty());
  }
}
