#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <latch>
#include <string>
#include <thread>
#include <tuple>
#include <weft/runtime/config.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/snapshot.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<> wait_for(weft::event* e) { std::ignore = co_await e->wait(); }

const weft::task_snapshot* find_task(const weft::worker_snapshot& w, std::string_view path) {
  const auto at = std::ranges::find(w.tasks, path, &weft::task_snapshot::path);
  return at == w.tasks.end() ? nullptr : &*at;
}

}  // namespace

TEST_SUITE("snapshot") {
  TEST_CASE("a suspended task is told with what it waits for, how long, where, its strand, service and time left") {
    test::virtual_time t;
    weft::event e;
    weft::service table{t.rt, {.name = "table"}};
    REQUIRE(weft::spawn(
        t.rt.control(), "player",
        [](weft::service* table, weft::event* e) -> weft::task<> {
          std::ignore = co_await table->call([e] { return wait_for(e); }, weft::within{2s});
        },
        &table, &e));
    t.rt.pump();
    t.clock.advance(500ms);
    const auto all = weft::snapshot(t.rt);
    REQUIRE(all.workers.size() == 1);
    const auto& w = all.workers[0];
    CHECK(w.answered);
    CHECK(!w.running);

    const auto* player = find_task(w, "player");
    REQUIRE(player != nullptr);
    CHECK(player->waits_for == "function");
    CHECK(player->waiting == 500ms);
    CHECK(player->strand == "control");
    CHECK(player->service.empty());
    CHECK(!player->left);

    const auto* handler = find_task(w, "table / function");
    REQUIRE(handler != nullptr);
    CHECK(handler->waits_for == "event");
    CHECK(handler->where.starts_with("test_runtime+0x"));
    CHECK(handler->strand == "table");
    CHECK(handler->service == "table");
    REQUIRE(handler->left);
    CHECK(*handler->left == 1500ms);
    e.set();
    t.run(table.stop());
  }

  TEST_CASE("a service is told with what waits, what runs and its counters, until it is destroyed") {
    test::virtual_time t;
    weft::event e;
    {
      weft::service first{t.rt, {.name = "first"}};
      weft::service table{t.rt, {.name = "table", .reentrancy = weft::reentrancy::exclusive}};
      weft::service last{t.rt, {.name = "last"}};
      for (int i = 0; i < 3; ++i) {
        REQUIRE(weft::spawn(
            t.rt.control(), "player",
            [](weft::service* table, weft::event* e) -> weft::task<> {
              std::ignore = co_await table->call([e] { return wait_for(e); });
            },
            &table, &e));
      }
      t.rt.pump();
      const auto all = weft::snapshot(t.rt);
      const auto& services = all.workers[0].services;
      REQUIRE(services.size() == 3);
      const auto& s = services[1];
      CHECK(s.name == "table");
      CHECK(s.strand == "table");
      CHECK(s.running == 1);
      CHECK(s.waiting == 2);
      CHECK(s.counters.started == 1);
      const auto text = weft::to_string(all);
      CHECK_MESSAGE(text.find("service table: 1 running, 2 waiting, 1 started, 0 refused") != std::string::npos, text);
      CHECK_MESSAGE(text.find("service first") == std::string::npos, text);
      e.set();
      t.run(table.stop());
    }
    CHECK(weft::snapshot(t.rt).workers[0].services.empty());
  }

  TEST_CASE("a strand with work queued is told with how much") {
    test::virtual_time t;
    weft::strand busy{t.rt, {.name = "busy"}};
    weft::worker_snapshot seen;
    REQUIRE(busy.try_post([&] { seen = weft::snapshot_here(); }).ok());
    weft::strand other{t.rt, {.name = "other"}};
    for (int i = 0; i < 3; ++i) REQUIRE(other.try_post([] {}).ok());
    t.rt.pump();
    REQUIRE(seen.strands.size() == 1);
    CHECK(seen.strands[0].name == "other");
    CHECK(seen.strands[0].messages == 3);
    CHECK(seen.strands[0].queued == 3);
  }

  TEST_CASE("a worker that is stuck in a handler is not waited for: its handler is named, with how long it runs") {
    weft::runtime rt{{.workers = 2}};
    weft::service table{rt, {.name = "table", .worker = 1}};
    std::latch begun{1};
    std::latch go_on{1};
    REQUIRE(weft::spawn(
        rt.control(), "player",
        [](weft::service* table, std::latch* begun, std::latch* go_on) -> weft::task<> {
          std::ignore = co_await table->call(
              [=] {
                begun->count_down();
                go_on->wait();
              },
              weft::within{1h});
        },
        &table, &begun, &go_on));
    begun.wait();
    const auto before = std::chrono::steady_clock::now();
    const auto all = weft::snapshot(rt, 20ms);
    const auto took = std::chrono::steady_clock::now() - before;
    CHECK(took >= 20ms);
    CHECK(took < 10s);
    REQUIRE(all.workers.size() == 2);
    CHECK(find_task(all.workers[0], "player") != nullptr);
    const auto& stuck = all.workers[1];
    CHECK(!stuck.answered);
    REQUIRE(stuck.running);
    CHECK(stuck.running->strand == "table");
    CHECK(stuck.running->task == "function");
    CHECK(stuck.running->for_about >= 20ms);
    const auto text = weft::to_string(all);
    CHECK_MESSAGE(text.find("worker 1: did not answer, runs function on table for ") != std::string::npos, text);
    go_on.count_down();
    table.stop_and_wait();
    CHECK(weft::snapshot(rt, 10s).workers[1].answered);
  }

  TEST_CASE("of a runtime that has ended nothing is told") {
    weft::runtime rt;
    rt.stop();
    const auto all = weft::snapshot(rt);
    REQUIRE(all.workers.size() == 1);
    CHECK(!all.workers[0].answered);
    CHECK(!all.workers[0].running);
    CHECK(weft::to_string(all).empty());
  }

  TEST_CASE("strands that come and go while others look at what runs are never touched when they are gone") {
    weft::runtime rt;
    std::atomic<bool> done{false};
    std::thread looker{[&] {
      while (!done) std::ignore = rt.worker_at(0).running().look();
    }};
    for (int i = 0; i < 300; ++i) {
      const std::string name = "strand " + std::to_string(i) + " with a name too long to be kept in place";
      weft::visit(rt.worker_at(0), [] {});
      std::latch ran{1};
      weft::strand s{rt, {.name = name.c_str()}};
      REQUIRE(s.try_post([&] { ran.count_down(); }).ok());
      ran.wait();
    }
    done = true;
    looker.join();
  }

  TEST_CASE("10,000 suspended players are told in less than 100 ms, each with where it waits") {
    constexpr int players = 10'000;
    constexpr auto bound = WEFT_ASAN || WEFT_TSAN ? 5'000ms : 100ms;
    weft::runtime rt;
    weft::service gate{rt, {.name = "gate"}};
    std::atomic<int> waiting{0};
    for (int i = 0; i < players; ++i) {
      gate.start(
          [](std::atomic<int>* waiting) -> weft::task<> {
            waiting->fetch_add(1);
            waiting->notify_one();
            std::ignore = co_await weft::sleep_for(1h);
          },
          &waiting);
    }
    for (int now = waiting; now < players; now = waiting) waiting.wait(now);
    // The machine may be busy with something else: once in several attempts is what the library can promise.
    weft::duration best = weft::duration::max();
    std::string text;
    for (int i = 0; i < 10 && best >= bound; ++i) {
      const auto before = std::chrono::steady_clock::now();
      text = weft::to_string(weft::snapshot(rt, 60s));
      best = std::min<weft::duration>(best, std::chrono::steady_clock::now() - before);
    }
    CHECK(best < bound);
    std::size_t named = 0;
    for (auto at = text.find(": sleep for "); at != std::string::npos; at = text.find(": sleep for ", at + 1)) {
      const auto line = text.substr(at, text.find('\n', at) - at);
      if (line.find("on gate, at test_runtime+0x") != std::string::npos) ++named;
    }
    CHECK(named == players);
    gate.stop_and_wait();
  }
}
