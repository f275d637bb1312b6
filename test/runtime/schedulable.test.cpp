#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/schedulable.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/worker.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

// What a program may have: a list of functions that knows nothing of weft but this.
class jobs {
 public:
  void push(std::function<void()> f) {
    waiting_.push_back(std::move(f));
    signal_.raise();
  }

  bool ready() const { return !waiting_.empty(); }
  void run_one() {
    const auto f = std::move(waiting_.front());
    waiting_.pop_front();
    f();
  }
  void when_ready(weft::ready_signal signal) { signal_ = std::move(signal); }

 private:
  std::deque<std::function<void()>> waiting_;
  weft::ready_signal signal_;
};
static_assert(weft::schedulable<jobs>);

// Always has work; writes down that it had a turn.
struct flood {
  std::string& turns;
  char name;
  std::size_t until;

  bool ready() const { return turns.size() < until; }
  void run_one() { turns += name; }
  void when_ready(weft::ready_signal) {}
};

weft::task<> run(weft::fair_scheduler* s) { co_await s->run(); }

weft::task<> moment() { std::ignore = co_await weft::sleep_for(1ms); }

struct stage {
  test::virtual_time t;
  weft::fair_scheduler scheduler;
  jobs q;
  jobs other;
  std::string turns;
  int ran = 0;

  // Runs the scheduler on the control strand while `body` runs there.
  void play(weft::task<> (*body)(stage*)) {
    t.run(weft::with_scope(
        [](stage* self, weft::task<> (*script)(stage*), weft::scope& s) -> weft::task<> {
          std::ignore = s.start(run(&self->scheduler));
          co_await script(self);
          s.stop();
        },
        this, body));
  }
};

}  // namespace

TEST_SUITE("schedulable") {
  TEST_CASE("a queue of the program's own runs on the strand it has joined, whenever it says that it has work") {
    test::virtual_time t;
    weft::fair_scheduler scheduler;
    jobs q;
    int on_strand = 0;
    const auto job = [&] { on_strand += t.rt.control().running_here() ? 1 : 0; };
    q.push(job);  // before it joins
    auto seat = scheduler.join(q);
    t.run(weft::with_scope(
        [](weft::fair_scheduler* scheduler, jobs* q, std::function<void()> job, int* ran,
           weft::scope& s) -> weft::task<> {
          std::ignore = s.start(run(scheduler));
          co_await moment();
          CHECK(*ran == 1);
          q->push(job);
          q->push(job);
          CHECK(*ran == 1);  // never beneath the one who pushes
          co_await moment();
          CHECK(*ran == 3);
          s.stop();
        },
        &scheduler, &q, job, &on_strand));
  }

  TEST_CASE(
      "under flood every queue gets turns by its weight, in each stretch of as many turns as all weights add up to") {
    stage s;
    flood a{s.turns, 'a', 7'000}, b{s.turns, 'b', 7'000}, c{s.turns, 'c', 7'000};
    auto seat_a = s.scheduler.join(a, 4), seat_b = s.scheduler.join(b, 2), seat_c = s.scheduler.join(c);
    s.play([](stage*) { return moment(); });
    REQUIRE(s.turns.size() == 7'000);
    const auto in = [&](char name, std::size_t from) {
      const auto start = s.turns.begin() + static_cast<std::ptrdiff_t>(from);
      return std::count(start, start + 7, name);
    };
    bool fair = true;
    for (std::size_t from = 0; from + 7 <= s.turns.size(); ++from) {
      fair = fair && in('a', from) == 4 && in('b', from) == 2 && in('c', from) == 1;
    }
    CHECK(fair);
  }

  TEST_CASE("a queue that becomes ready under flood has its turn after those of the others, and leaves them the rest") {
    stage s;
    flood a{s.turns, 'a', 1'000}, b{s.turns, 'b', 1'000};
    auto seat_a = s.scheduler.join(a, 3), seat_b = s.scheduler.join(b, 2), seat = s.scheduler.join(s.q, 5);
    s.play([](stage* on) -> weft::task<> {
      for (int i = 0; i < 50; ++i) {
        on->q.push([on, since = on->turns.size()] {
          ++on->ran;
          CHECK(on->turns.size() - since <= 3 + 2);
        });
        for (int k = 0; k < 11; ++k) co_await weft::yield{};
      }
      while (on->turns.size() < 1'000) co_await weft::yield{};
    });
    CHECK(s.ran == 50);
    CHECK(std::count(s.turns.begin(), s.turns.end(), 'a') == 600);
  }

  TEST_CASE("queues join and leave while it runs, from within their own turns too") {
    stage s;
    std::optional<weft::fair_scheduler::seat> seat{s.scheduler.join(s.q)}, other_seat;
    s.q.push([&] {
      s.turns += '1';
      other_seat.emplace(s.scheduler.join(s.other, 2));
      s.other.push([&] { s.turns += '2'; });
      s.other.push([&] {
        s.turns += '3';
        other_seat.reset();
      });
      s.other.push([&] { s.turns += '!'; });  // never: it has left
      seat.reset();
    });
    s.q.push([&] { s.turns += '!'; });
    s.play([](stage* on) -> weft::task<> {
      co_await moment();
      CHECK(on->turns == "123");
      CHECK(on->scheduler.joined() == 0);
      on->q.push([] {});  // nobody listens
      flood late{on->turns, 'f', 100};
      auto late_seat = on->scheduler.join(late);
      co_await weft::yield{};
      co_await weft::yield{};
      CHECK(on->turns.size() > 3);
      auto moved = std::move(late_seat);
      moved.leave();
      const auto had = on->turns.size();
      co_await moment();
      CHECK(on->turns.size() == had);
    });
  }

  TEST_CASE("an idle scheduler queues nothing") {
    stage s;
    auto seat = s.scheduler.join(s.q, 3);
    s.play([](stage* on) -> weft::task<> {
      co_await moment();
      auto& w = on->t.rt.worker_at(0);
      const auto before = w.counters().entries;
      for (int i = 0; i < 10; ++i) co_await moment();
      CHECK(w.counters().entries == before + 10);  // this task's own
      for (int i = 0; i < 10; ++i) on->q.push([on] { ++on->ran; });
      co_await moment();
      CHECK(on->ran == 10);
      CHECK(w.counters().entries == before + 10 + 1 + 10);
    });
  }

  TEST_CASE("an idle scheduler lets its thread sleep") {
    weft::runtime rt;
    weft::fair_scheduler scheduler;
    jobs q;
    auto seat = scheduler.join(q);
    REQUIRE(weft::spawn(rt.control(), "scheduler", run, &scheduler));
    const auto entries = weft::sync_wait(rt, [](weft::runtime* rt, jobs* q) -> weft::task<std::uint64_t> {
      bool ran = false;
      q->push([&ran] { ran = true; });
      while (!ran) co_await weft::yield{};
      auto& w = rt->worker_at(0);
      const auto before = w.counters().entries;
      std::ignore = co_await weft::sleep_for(20ms);
      co_return w.counters().entries - before;
    }(&rt, &q));
    CHECK(entries <= 3);
    rt.stop();
  }

  TEST_CASE("what else the strand has to do waits for one turn at most, and stop ends a flood") {
    test::virtual_time t;
    weft::fair_scheduler scheduler;
    std::string turns;
    flood endless{turns, 'x', 1'000'000};
    auto seat = scheduler.join(endless, 1'000);
    t.run(weft::with_scope(
        [](weft::fair_scheduler* scheduler, std::string* turns, weft::scope& s) -> weft::task<> {
          auto running = s.start(run(scheduler));
          co_await weft::yield{};
          for (int i = 0; i < 100; ++i) {
            const auto had = turns->size();
            co_await weft::yield{};
            CHECK(turns->size() <= had + 1);
          }
          running.stop();
          co_await std::move(running);
        },
        &scheduler, &turns));
    CHECK(turns.size() <= 102);
  }

  TEST_CASE("a runtime with a flooded scheduler ends") {
    std::string turns;
    weft::fair_scheduler scheduler;
    flood endless{turns, 'x', std::size_t(-1)};
    auto seat = scheduler.join(endless);
    weft::runtime rt;
    REQUIRE(weft::spawn(rt.control(), "scheduler", run, &scheduler));
    rt.stop();
  }

  TEST_CASE("what is left when it is stopped stays, and runs when it is run again") {
    stage s;
    auto seat = s.scheduler.join(s.q);
    s.play([](stage* on) -> weft::task<> {
      on->q.push([on] { ++on->ran; });
      on->q.push([on] { ++on->ran; });
      co_return;
    });
    CHECK(s.ran <= 1);
    s.q.push([&s] { ++s.ran; });
    s.play([](stage*) { return moment(); });
    CHECK(s.ran == 3);
  }
}
