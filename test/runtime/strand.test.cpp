#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/strand.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

TEST_SUITE("strand") {
  TEST_CASE("messages run in the order in which they were posted") {
    test::virtual_time t;
    weft::strand s{t.rt};
    std::vector<int> order;
    for (int i = 0; i < 200; ++i) REQUIRE(s.try_post([&order, i] { order.push_back(i); }).ok());
    t.rt.pump();
    REQUIRE(order.size() == 200);
    for (int i = 0; i < 200; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }

  TEST_CASE("a full strand refuses a message and accepts a resumption") {
    test::virtual_time t;
    weft::strand s{t.rt, {.name = "small", .limit = 2}};
    const auto outcomes = t.run([](weft::strand& s) -> weft::task<std::vector<weft::status>> {
      std::vector<weft::status> outcomes;
      for (int i = 0; i < 3; ++i) outcomes.push_back(s.try_post([] {}));
      co_return outcomes;
    }(s));
    CHECK(outcomes[1].ok());
    CHECK(outcomes[2] == weft::resource_exhausted("strand 'small' has 2 messages queued"));
    t.rt.pump();
    CHECK(s.queued_messages() == 0);
  }

  TEST_CASE("a closed strand refuses messages") {
    test::virtual_time t;
    weft::strand s{t.rt, {.name = "shut"}};
    s.close();
    const auto outcome = t.run([](weft::strand& s) -> weft::task<weft::status> { co_return s.try_post([] {}); }(s));
    CHECK(outcome.code() == weft::code::unavailable);
  }

  TEST_CASE("a strand that floods itself lets the others run") {
    test::virtual_time t;
    weft::strand flood{t.rt}, other{t.rt};
    int floods = 0;
    bool ran = false;
    std::function<void()> again = [&] {
      if (++floods < 10'000 && !ran) std::ignore = flood.try_post(again);
    };
    std::ignore = flood.try_post(again);
    std::ignore = other.try_post([&] { ran = true; });
    while (t.rt.pump().more) {
    }
    CHECK(ran);
    CHECK(floods <= 2 * weft::strand::batch);
  }

  TEST_CASE("messages from many threads all run, one at a time, each thread's in order") {
    weft::runtime rt{{.workers = 2}};
    constexpr int threads = 4, each = 20'000;
    std::vector<int> last(threads, -1);
    bool in_order = true;
    int count = 0;  // no atomic: the strand is what protects it
    std::atomic<bool> all{false};
    weft::strand s{rt, {.worker = 1}};
    std::vector<std::thread> posters;
    for (int t = 0; t < threads; ++t) {
      posters.emplace_back([&, t] {
        for (int i = 0; i < each; ++i) {
          REQUIRE(s.try_post([&, t, i] {
                     auto& l = last[static_cast<std::size_t>(t)];
                     in_order = in_order && l == i - 1;
                     l = i;
                     if (++count == threads * each) {
                       all = true;
                       all.notify_one();
                     }
                   }).ok());
        }
      });
    }
    for (auto& p : posters) p.join();
    all.wait(false);
    rt.stop();
    CHECK(count == threads * each);
    CHECK(in_order);
  }

  TEST_CASE("what timers resume leaves one in nine to the rest, however long there was none") {
    test::virtual_time t;
    weft::strand s{t.rt};
    std::vector<int> order;
    for (int i = 0; i < 200; ++i) {
      const auto sleeper = [](int i, weft::strand* s, std::vector<int>* order) -> weft::task<> {
        std::ignore = co_await weft::sleep_for(5ms);
        order->push_back(i);
        if (i == 20) std::ignore = s->try_post([order] { order->push_back(-1); });
      };
      REQUIRE(weft::spawn(s, "sleeper", sleeper, i, &s, &order));
    }
    t.advance(10ms);
    const auto at = std::find(order.begin(), order.end(), -1) - order.begin();
    CHECK(at <= 21 + 9);
  }
}
