#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/test/world.hpp>

using namespace std::chrono_literals;
using weft::test::world;

namespace {

struct counter : weft::service {
  explicit counter(weft::runtime& rt) : service{rt, {.name = "counter"}} {}
  ~counter() override { stop_and_wait(weft::stop_mode::abort); }
  void on_tick(weft::duration) override { ++ticks; }
  int ticks = 0;
};

weft::task<> sleep_and_note(int number, std::vector<int>* order) {
  static_cast<void>(co_await weft::sleep_for(10ms));
  order->push_back(number);
}

// The order in which eight tasks on strands of their own wake from equal sleeps.
std::string race(world& w) {
  static constexpr const char* names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
  std::vector<std::unique_ptr<weft::strand>> strands;
  std::vector<int> order;
  for (int i = 0; i < 8; ++i) {
    strands.push_back(std::make_unique<weft::strand>(w, weft::strand_options{.name = names[i]}));
    weft::spawn(*strands.back(), "racer", &sleep_and_note, i, &order);
  }
  w.advance(1s);
  std::string out;
  for (const int i : order) out += names[i];
  return out;
}

weft::task<> wait_for_nothing() {
  weft::event never_set;
  static_cast<void>(co_await never_set.wait());
}

weft::task<> go_round() {
  auto& ctx = co_await weft::current();
  while (!ctx.stopped()) co_await weft::yield{};
}

weft::task<weft::duration> slept(world* w, weft::duration how_long) {
  const auto begin = w->now();
  static_cast<void>(co_await weft::sleep_for(how_long));
  co_return w->now() - begin;
}

weft::task<> throw_it() {
  co_await weft::yield{};
  throw std::runtime_error{"thrown"};
}

}  // namespace

TEST_SUITE("world") {
  TEST_CASE("a task that sleeps for a day ends at once, a day later") {
    world w{{.patience = 48h}};
    CHECK(w.run(slept(&w, 24h)) == 24h);
  }

  TEST_CASE("a world throws what its task throws") {
    world w;
    CHECK_THROWS_WITH_AS(w.run(throw_it()), "thrown", std::runtime_error);
  }

  TEST_CASE("advance runs what is due at its time, and stops at the end of it") {
    world w;
    std::vector<weft::duration> at;
    weft::spawn(
        w.control(), "sleeper",
        [](world* in, std::vector<weft::duration>* noted) -> weft::task<> {
          const auto begin = in->now();
          for (int i = 0; i < 3; ++i) {
            static_cast<void>(co_await weft::sleep_for(100ms));
            noted->push_back(in->now() - begin);
          }
        },
        &w, &at);
    w.settle();
    const auto begin = w.now();
    w.advance(250ms);
    CHECK(at == std::vector<weft::duration>{100ms, 200ms});
    CHECK(w.now() - begin == 250ms);
    w.advance(50ms);
    CHECK(at.size() == 3);
  }

  TEST_CASE("a task that nothing can end is a hang, says what it waits for, and is stopped") {
    world w;
    try {
      w.run(wait_for_nothing());
      FAIL("it did not throw");
    } catch (const weft::test::hang& h) {
      CHECK(std::string_view{h.what()}.find("test: event for 0 ms, on control") != std::string_view::npos);
    }
    CHECK(w.run(slept(&w, 1s)) == 1s);  // the world lives on
  }

  TEST_CASE("a task is a hang when its patience is over, though a service ticks on") {
    world w{{.patience = 1min}};
    counter c{w};
    c.tick_every(1s);
    CHECK_THROWS_AS(w.run(wait_for_nothing()), weft::test::hang);
    CHECK(c.ticks == 60);
  }

  TEST_CASE("a task that goes round without time passing is a hang") {
    world w;
    CHECK_THROWS_AS(w.run(go_round()), weft::test::hang);
  }

  TEST_CASE("seed 0 is the plain order, traced or not") {
    world plain;
    world traced{{.trace = true}};
    CHECK(race(plain) == "abcdefgh");
    CHECK(race(traced) == "abcdefgh");
    CHECK(plain.trace().empty());
  }

  TEST_CASE("a trace says when which strand ran what") {
    world w{{.trace = true}};
    race(w);
    CHECK(w.trace().starts_with("0.000 ms a: racer start\n0.000 ms b: racer start\n"));
    CHECK(w.trace().find("10.000 ms a: racer sleep\n") != std::string::npos);
  }

  TEST_CASE("one seed is one run, byte for byte, and other seeds are other runs") {
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      world first{{.seed = seed, .trace = true}};
      world second{{.seed = seed, .trace = true}};
      const auto order = race(first);
      CHECK(race(second) == order);
      CHECK(first.trace() == second.trace());
      CHECK(order.size() == 8);
      orders.insert(order);
    }
    CHECK(orders.size() > 45);
  }

  TEST_CASE("timers of one tick fire in an order of the seed, those of different ticks never") {
    std::set<int> firsts;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      world w{{.seed = seed}};
      std::vector<int> order;
      // One strand, so that only the timers' order decides.
      for (int i = 0; i < 4; ++i) weft::spawn(w.control(), "racer", &sleep_and_note, i, &order);
      w.advance(5ms);
      for (int i = 4; i < 8; ++i) weft::spawn(w.control(), "racer", &sleep_and_note, i, &order);
      w.advance(1s);
      REQUIRE(order.size() == 8);
      for (std::size_t i = 0; i < 8; ++i) CHECK((order[i] < 4) == (i < 4));
      firsts.insert(order[0]);
    }
    CHECK(firsts.size() == 4);
  }

  TEST_CASE("whatever the seed, entries of one strand keep their order") {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
      world w{{.seed = seed}};
      weft::strand one{w};
      weft::strand other{w};
      std::vector<int> order;
      for (int i = 0; i < 200; ++i) {
        REQUIRE(one.try_post([&order, i] { order.push_back(i); }).ok());
        REQUIRE(other.try_post([] {}).ok());
      }
      w.settle();
      REQUIRE(order.size() == 200);
      CHECK(std::is_sorted(order.begin(), order.end()));
    }
  }
}
