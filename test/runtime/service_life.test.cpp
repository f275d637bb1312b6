// Ticks and retirement: what a service does besides answering calls.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/test/doctest.hpp>
#include <weft/test/seeds.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

struct ticking : weft::service {
  using service::service;
  void on_tick(weft::duration dt) override {
    assert_here();
    deltas.push_back(dt);
    at.push_back(strand().home().now());
  }
  std::vector<weft::duration> deltas;
  std::vector<weft::time_point> at;
};

// Rooms are opened, played for a while, and over.
struct rooms : weft::service {
  rooms(weft::runtime& rt, weft::duration game)
      : service{rt, {.name = "rooms", .reentrancy = weft::reentrancy::interleaved}}, game_{game} {}

  weft::task<weft::status> open() {
    ++open_;
    start(&rooms::play, this);
    co_return weft::status{};
  }
  weft::task<> play() {
    (co_await weft::sleep_for(game_)).ok() ? ++finished : ++cut;
    --open_;
  }
  bool played_out() const override { return open_ == 0; }
  weft::task<> snapshot() override {
    assert_here();
    std::ignore = co_await weft::sleep_for(1ms);
    saved = finished;
  }

  int finished = 0;
  int cut = 0;
  int saved = -1;

 private:
  weft::duration game_;
  int open_ = 0;
};

weft::task<> open_rooms(rooms* r, int n) {
  for (int i = 0; i < n; ++i) CHECK((co_await r->call([r] { return r->open(); })).ok());
}

struct rooms_in_play : weft::service {
  explicit rooms_in_play(weft::runtime& rt) : service{rt, {.name = "rooms"}} {}
  bool plays_on(std::string_view) const override { return true; }
  bool played_out() const override { return hands == 0; }
  int hands = 0;
};

}  // namespace

TEST_SUITE("tick") {
  TEST_CASE("ticks come on a grid with the time since the last one, until the service stops") {
    test::virtual_time t;
    ticking s{t.rt};
    s.tick_every(50ms);
    t.run([](ticking* s) -> weft::task<> {
      std::ignore = co_await weft::sleep_for(1s);
      co_await s->stop();
    }(&s));
    CHECK(s.deltas.size() >= 19);
    CHECK(s.deltas.size() <= 20);
    for (const auto dt : s.deltas) {
      CHECK(dt >= 49ms);
      CHECK(dt <= 52ms);
    }
    const auto ticks = s.deltas.size();
    CHECK(t.run(weft::as_task(weft::sleep_for(500ms))).ok());
    CHECK(s.deltas.size() == ticks);
    CHECK(s.counters().ticks == ticks);
  }

  TEST_CASE("a late tick is not made up for: one call with the whole time, then on the grid again") {
    test::virtual_time t;
    ticking s{t.rt};
    s.tick_every(50ms);
    t.run([](test::virtual_time* t, ticking* s) -> weft::task<> {
      std::ignore = co_await weft::sleep_for(60ms);
      t->clock.advance(200ms);  // somebody held up the worker
      std::ignore = co_await weft::sleep_for(100ms);
      co_await s->stop();
    }(&t, &s));
    REQUIRE(s.deltas.size() >= 3);
    CHECK(s.deltas[1] >= 200ms);
    CHECK(s.deltas[1] <= 220ms);
    CHECK(s.deltas[2] <= 52ms);
  }

  TEST_CASE("a flood of calls does not hold ticks up") {
    test::virtual_time t;
    ticking s{t.rt, {.mailbox = 100'000}};
    s.tick_every(10ms);
    t.run(weft::with_scope(
        [](test::virtual_time* t, ticking* s, weft::scope&) -> weft::task<> {
          std::ignore = co_await weft::sleep_for(5ms);
          for (int i = 0; i < 50'000; ++i) CHECK(s->send([t] { t->clock.advance(2us); }).ok());  // 100 ms of work
          std::ignore = co_await weft::sleep_for(100ms);
          co_await s->stop();
        },
        &t, &s));
    // The worker runs at most 16,384 entries before it looks at its timers under a manual clock: 33 ms.
    for (const auto dt : s.deltas) CHECK(dt <= 50ms);
    CHECK(s.deltas.size() >= 4);
  }

  TEST_CASE("in an exclusive service a tick waits for the handler in progress") {
    test::virtual_time t;
    ticking s{t.rt, {.reentrancy = weft::reentrancy::exclusive}};
    s.tick_every(10ms);
    t.run([](ticking* s) -> weft::task<> {
      CHECK((co_await s->call([s]() -> weft::task<> {
              std::ignore = co_await weft::sleep_for(35ms);
              CHECK(s->deltas.empty());
            })).ok());
      co_await weft::yield{};
      CHECK(s->deltas.size() == 1);
      CHECK(s->deltas[0] >= 35ms);
      co_await s->stop();
    }(&s));
  }
}

TEST_SUITE("retire") {
  TEST_CASE("nothing new is taken, what is in progress plays out, then the snapshot") {
    test::virtual_time t;
    rooms r{t.rt, 100ms};
    t.run(weft::with_scope(
        [](rooms* r, weft::scope& scope) -> weft::task<> {
          co_await open_rooms(r, 5);
          auto retired = scope.start(r->retire(10s));
          std::ignore = co_await weft::sleep_for(10ms);
          CHECK((co_await r->call([r] { return r->open(); })).status() ==
                weft::unavailable("service 'rooms' is retiring"));
          CHECK(co_await std::move(retired));
        },
        &r));
    CHECK(r.finished == 5);
    CHECK(r.cut == 0);
    CHECK(r.saved == 5);
  }

  TEST_CASE("at the limit what still plays is stopped, and the snapshot still runs") {
    test::virtual_time t;
    rooms r{t.rt, 1h};
    t.run([](rooms* r) -> weft::task<> {
      co_await open_rooms(r, 3);
      CHECK_FALSE(co_await r->retire(50ms));
    }(&r));
    CHECK(r.finished == 0);
    CHECK(r.cut == 3);
    CHECK(r.saved == 0);
  }

  TEST_CASE("a service with nothing in progress retires at once") {
    test::virtual_time t;
    rooms r{t.rt, 1h};
    const auto begin = t.clock.now();
    CHECK(t.run(r.retire(1h)));
    CHECK(t.clock.now() - begin <= 5ms);
    CHECK(r.saved == 0);
  }

  TEST_CASE("while a service retires, what comes when the last has played out is played out or refused, never cut") {
    int cut = 0;
    int not_retired = 0;
    weft::test::for_seeds(300, [&](weft::test::world& w) {
      rooms_in_play r{w};
      r.hands = 1;
      bool retired = false;
      w.run(weft::with_scope(
          [](rooms_in_play* r, bool* retired, int* cut, weft::scope& scope) -> weft::task<> {
            auto done = scope.start(r->retire(10s));
            std::ignore = co_await weft::sleep_for(10ms);
            CHECK((co_await r->call([r] { --r->hands; })).ok());
            auto next = co_await r->call([r]() -> weft::task<weft::status> {
              ++r->hands;
              auto s = co_await weft::sleep_for(10ms);
              --r->hands;
              co_return s;
            });
            if (next.code() != weft::code::ok && next.code() != weft::code::unavailable) ++*cut;
            *retired = co_await std::move(done);
          },
          &r, &retired, &cut));
      if (!retired) ++not_retired;
    });
    CHECK(cut == 0);
    CHECK(not_retired == 0);
  }

  TEST_CASE("a tick that waits and a new period lose no work") {
    test::virtual_time t;
    ticking s{t.rt, {.name = "ticking", .reentrancy = weft::reentrancy::exclusive}};
    int ran = 0;
    s.tick_every(5ms);
    t.run(weft::with_scope(
        [](test::virtual_time* t, ticking* s, int* ran, weft::scope&) -> weft::task<> {
          CHECK((co_await s->call([t, s, ran]() -> weft::task<> {
                  std::ignore = co_await weft::sleep_for(20ms);  // a tick waits for the end of this handler
                  s->tick_every(2ms);
                  for (int i = 0; i < 6; ++i) std::ignore = s->strand().try_post([t] { t->clock.advance(1ms); });
                  std::ignore = s->strand().try_post([s, ran] {  // ... behind the tick
                    for (int i = 0; i < 10; ++i) std::ignore = s->strand().try_post([ran] { ++*ran; });
                  });
                  for (int i = 0; i < 6; ++i) std::ignore = s->strand().try_post([t] { t->clock.advance(1ms); });
                })).ok());
          std::ignore = co_await weft::sleep_for(100ms);
        },
        &t, &s, &ran));
    CHECK(ran == 10);
    CHECK(s.strand().queued_messages() == 0);
    t.run(s.stop());
  }
}
