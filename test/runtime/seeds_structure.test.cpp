// Races of queues and lanes: what happens at one moment happens in thousands of orders, and what is promised holds in each.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <tuple>
#include <variant>
#include <vector>
#include <weft/runtime/lane.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/select.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/doctest.hpp>
#include <weft/test/seeds.hpp>

#include "../support/dice.hpp"

using namespace std::chrono_literals;
using test::dice;
using test::either_mode;
using test::near;
using test::seeds;
using test::up_to;
using weft::test::for_seeds;
using weft::test::world;

namespace {

struct channel {
  explicit channel(std::size_t limit) : q{limit} {}
  weft::queue<int> q;
  std::vector<int> accepted;
  std::vector<int> received;
  int producers = 0;
  bool selects = false;
};

weft::task<> produce(channel* c, dice* d, int from) {
  ++c->producers;
  for (int value = from; value < from + 6; ++value) {
    if (auto s = co_await c->q.push(value); !s.ok()) break;
    c->accepted.push_back(value);
    if (d->one_in(3)) std::ignore = co_await weft::sleep_for(up_to(*d, 1));
  }
  --c->producers;
}

weft::task<> receive(channel* c, dice* d) {
  for (;;) {
    const auto value = co_await c->q.pop();
    if (!value) co_return;
    c->received.push_back(*value);
    if (d->one_in(3)) std::ignore = co_await weft::sleep_for(up_to(*d, 1));
  }
}

// The same by select, which loses now and then.
weft::task<> receive_or_not(channel* c, dice* d) {
  c->selects = true;
  for (;;) {
    auto got = co_await weft::select(c->q, weft::sleep_for(up_to(*d, 1)));
    if (!got.ok()) co_return;
    if (got->index() == 1) continue;
    const auto& value = std::get<0>(*got);
    if (!value) co_return;
    c->received.push_back(*value);
  }
}

weft::task<> call_for(weft::service* at, weft::task<> (*f)(channel*, dice*), channel* c, dice* d) {
  std::ignore = co_await at->call([=] { return f(c, d); });
}

}  // namespace

TEST_SUITE("seeds of queues") {
  TEST_CASE("what a queue took is received once and in its order, whoever of its users is stopped when") {
    for_seeds(seeds, [](world& w) {
      auto& d = w.random();
      std::vector<std::unique_ptr<weft::service>> strands;
      for (const char* name : {"p", "q", "r", "s", "t"}) {
        strands.push_back(std::make_unique<weft::service>(w, weft::service_options{.name = name}));
      }
      channel c{1 + d.below(3)};
      w.run(weft::with_scope(
          [](std::vector<std::unique_ptr<weft::service>>* strands, channel* c, dice* d,
             weft::scope& scope) -> weft::task<> {
            std::vector<weft::started<void>> users;
            for (std::size_t i = 0; i < 2; ++i) {
              users.push_back(scope.start(
                  call_for((*strands)[i].get(),
                           [](channel* c, dice* d) { return produce(c, d, 100 * (1 + c->producers)); }, c, d)));
            }
            for (std::size_t i = 2; i < 5; ++i)
              users.push_back(scope.start(
                  call_for((*strands)[i].get(), i == 2 || d->one_in(2) ? &receive : &receive_or_not, c, d)));
            // All but the last receiver may be stopped.
            for (std::size_t i = 0; i + 1 < users.size(); ++i) {
              std::ignore = co_await weft::sleep_for(up_to(*d, 1));
              if (d->one_in(2)) users[i].stop();
            }
            std::ignore = co_await weft::sleep_for(50ms);
            CHECK(c->producers == 0);
            CHECK(c->q.size() == 0);
            // A select has its value before it goes on, and another receiver may note a later one meanwhile.
            if (c->selects) std::sort(c->received.begin(), c->received.end());
            if (c->selects) std::sort(c->accepted.begin(), c->accepted.end());
            CHECK((c->received == c->accepted));
            c->q.close();
          },
          &strands, &c, &d));
      for (auto& s : strands) w.run(s->stop());
    });
  }
}

namespace {

struct lane_log {
  std::vector<int> started;
  std::size_t running = 0;
  std::size_t most = 0;
  int ended = 0;
};

weft::task<> job(lane_log* log, int number, weft::duration takes) {
  log->started.push_back(number);
  log->most = std::max(log->most, ++log->running);
  std::ignore = co_await weft::sleep_for(takes);
  --log->running;
  ++log->ended;
}

weft::task<> fill_lane(lane_log* log, dice* d, weft::scope& scope) {
  const weft::lane_options options{
      .limit = 1 + d->below(4), .when_full = d->one_in(2) ? weft::refuse : weft::drop_oldest, .width = 1 + d->below(3)};
  weft::lane one{scope, options};
  int refused = 0;
  const bool stops = d->one_in(2);
  const auto stop_after = static_cast<int>(d->below(20));
  for (int i = 0; i < 20; ++i) {
    if (stops && i == stop_after) scope.stop();
    if (!one.run(&job, log, i, up_to(*d, 3)).ok()) ++refused;
    CHECK(one.waiting() <= options.limit);
    if (d->one_in(2)) std::ignore = co_await weft::sleep_for(up_to(*d, 2));
    if (d->one_in(2)) co_await weft::yield{};
  }
  if (!stops) {
    std::ignore = co_await weft::sleep_for(1s);
    CHECK(log->ended + refused + static_cast<int>(one.dropped()) == 20);
  }
  CHECK(log->most <= options.width);
}

}  // namespace

TEST_SUITE("seeds of lanes") {
  TEST_CASE("jobs of a lane start in order, never more than its width, and each ends, is refused or dropped") {
    for_seeds(seeds, [](world& w) {
      std::array<lane_log, 2> logs;
      w.run(weft::with_scope(
          [](std::array<lane_log, 2>* logs, dice* d, weft::scope& scope) -> weft::task<> {
            for (auto& log : *logs) std::ignore = scope.start(weft::with_scope(&fill_lane, &log, d));
            co_return;
          },
          &logs, &w.random()));
      for (const auto& log : logs) {
        CHECK(std::is_sorted(log.started.begin(), log.started.end()));
        CHECK(static_cast<int>(log.started.size()) == log.ended);
      }
    });
  }
}
