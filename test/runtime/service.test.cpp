#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

struct counter : weft::service {
  using service::service;

  weft::task<weft::result<int>> slow_increment(weft::duration d) {
    assert_here();
    const int before = value;
    if (auto s = co_await weft::sleep_for(d); !s.ok()) {
      ++stopped;
      co_return s;
    }
    value = before + 1;
    co_return value;
  }

  int value = 0;
  int stopped = 0;
};

// Both on the pumped worker.
struct fixture : test::virtual_time {
  explicit fixture(weft::service_options o = {}) : service{rt, o} {}
  ~fixture() override { run(service.stop(weft::stop_mode::abort)); }
  counter service;
};

// A call whose caller is stopped between `submit` and its turn on the strand.
weft::task<> abandon_on_its_way(weft::service* s, weft::scope* scope) {
  auto late = scope->start(s->call([] {}, weft::within{1s}));
  auto stopper = scope->start(
      [](weft::started<weft::result<weft::unit>>* late) -> weft::task<> {
        late->stop();
        co_return;
      },
      &late);
  co_await std::move(stopper);
  CHECK((co_await std::move(late)).code() == weft::code::cancelled);
}

weft::task<> slow(weft::duration d) { std::ignore = co_await weft::sleep_for(d); }

}  // namespace

TEST_SUITE("service") {
  TEST_CASE("a call runs on the service's strand and resumes the caller on its own") {
    fixture f;
    const bool right = f.run([](fixture* f) -> weft::task<bool> {
      const auto* mine = weft::worker::current_strand();
      const auto on = co_await f->service.call([] { return weft::worker::current_strand(); });
      co_return *on == &f->service.strand() && weft::worker::current_strand() == mine;
    }(&f));
    CHECK(right);
  }

  TEST_CASE("a call yields what the function returns: nothing, a value, an error, a task's value") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      auto& s = f->service;
      CHECK((co_await s.call([] {})).ok());
      CHECK(*co_await s.call([] { return 3; }) == 3);
      CHECK((co_await s.call([]() -> weft::result<int> { return weft::aborted("no"); })).code() == weft::code::aborted);
      CHECK((co_await s.call([]() -> weft::status { return weft::aborted("no"); })).code() == weft::code::aborted);
      CHECK(*co_await s.call([&s] { return s.slow_increment(1ms); }) == 1);
    }(&f));
  }

  TEST_CASE("interleaved handlers overlap; exclusive ones follow each other") {
    for (const auto mode : {weft::reentrancy::interleaved, weft::reentrancy::exclusive}) {
      fixture f{{.reentrancy = mode}};
      f.run([](fixture* f) -> weft::task<> {
        auto& s = f->service;
        std::ignore = co_await weft::when_all(s.call([&s] { return s.slow_increment(5ms); }),
                                              s.call([&s] { return s.slow_increment(5ms); }));
      }(&f));
      CHECK(f.service.value == (mode == weft::reentrancy::exclusive ? 2 : 1));
    }
  }

  TEST_CASE("a full mailbox refuses with RESOURCE_EXHAUSTED, at once") {
    fixture f{{.name = "full", .reentrancy = weft::reentrancy::exclusive, .mailbox = 1}};
    f.run(weft::with_scope(
        [](fixture* f, weft::scope& scope) -> weft::task<> {
          auto& s = f->service;
          auto running = scope.start(s.call([&s] { return s.slow_increment(5ms); }));
          std::ignore = co_await weft::sleep_for(1ms);
          auto waiting = scope.start(s.call([&s] { return s.slow_increment(5ms); }));
          std::ignore = co_await weft::sleep_for(1ms);
          auto refused = co_await s.call([] {});
          CHECK(refused.status() == weft::resource_exhausted("service 'full' has 1 calls waiting"));
          CHECK((co_await std::move(running)).ok());
          CHECK((co_await std::move(waiting)).ok());
          CHECK(s.counters().refused == 1);
        },
        &f));
  }

  TEST_CASE("a call whose deadline passes in the mailbox never runs") {
    fixture f{{.reentrancy = weft::reentrancy::exclusive}};
    bool ran = false;
    f.run(weft::with_scope(
        [](fixture* f, bool* ran, weft::scope& scope) -> weft::task<> {
          auto& s = f->service;
          auto blocker = scope.start(s.call([&s] { return s.slow_increment(50ms); }));
          co_await weft::yield{};
          auto r = co_await s.call([ran] { *ran = true; }, weft::within{10ms});
          CHECK(r.code() == weft::code::deadline_exceeded);
          CHECK((co_await std::move(blocker)).ok());
        },
        &f, &ran));
    f.rt.pump();
    CHECK_FALSE(ran);
  }

  TEST_CASE("at the deadline the caller is released at once and the handler is stopped") {
    fixture f;
    const auto begin = f.clock.now();
    const auto code = f.run([](fixture* f) -> weft::task<weft::code> {
      auto& s = f->service;
      auto r = co_await s.call([&s] { return s.slow_increment(1h); }, weft::within{10ms});
      co_return r.code();
    }(&f));
    f.rt.pump();
    CHECK(code == weft::code::deadline_exceeded);
    CHECK(f.clock.now() - begin < 20ms);
    CHECK(f.service.stopped == 1);
    CHECK(f.service.running() == 0);
  }

  TEST_CASE("a handler inherits the caller's deadline") {
    fixture f;
    const auto within = f.run([](fixture* f) -> weft::task<bool> {
      auto deadline = [](fixture* f) -> weft::task<weft::result<weft::time_point>> {
        co_return co_await f->service.call(
            []() -> weft::task<weft::time_point> {
              auto& ctx = co_await weft::current();
              co_return ctx.deadline();
            },
            weft::within{1h});
      };
      const auto now = f->clock.now();
      auto d = co_await weft::with_timeout(20ms, deadline(f));
      co_return *d <= now + 21ms;
    }(&f));
    CHECK(within);
  }

  TEST_CASE("a stopped caller is released with CANCELLED and its handler is stopped") {
    fixture f;
    f.run(weft::with_scope(
        [](fixture* f, weft::scope& scope) -> weft::task<> {
          auto& s = f->service;
          auto c = scope.start(s.call([&s] { return s.slow_increment(1h); }));
          std::ignore = co_await weft::sleep_for(1ms);
          c.stop();
          CHECK((co_await std::move(c)).code() == weft::code::cancelled);
          std::ignore = co_await weft::sleep_for(1ms);
          CHECK(s.stopped == 1);
        },
        &f));
  }

  TEST_CASE("an exception ends the call with UNKNOWN, says nothing of its text, and the service lives on") {
    std::string logged;
    test::virtual_time t;
    weft::runtime rt{{.workers = 1, .log = [&](std::string_view line) { logged = line; }}};
    counter s{rt};
    auto r = weft::sync_wait(rt, weft::as_task(s.call([]() -> int { throw std::runtime_error{"secret"}; })));
    CHECK(r.status() == weft::unknown_error("the handler failed"));
    CHECK(logged.find("secret") != std::string::npos);
    CHECK(weft::sync_wait(rt, weft::as_task(s.call([] { return 1; }))).ok());
    s.stop_and_wait();
  }

  TEST_CASE("drain finishes what was accepted and refuses what comes after") {
    fixture f{{.name = "closing", .reentrancy = weft::reentrancy::exclusive}};
    f.run(weft::with_scope(
        [](fixture* f, weft::scope& scope) -> weft::task<> {
          auto& s = f->service;
          auto a = scope.start(s.call([&s] { return s.slow_increment(5ms); }));
          auto b = scope.start(s.call([&s] { return s.slow_increment(5ms); }));
          std::ignore = co_await weft::sleep_for(1ms);
          auto stopping = scope.start(s.stop(weft::stop_mode::drain));
          std::ignore = co_await weft::sleep_for(1ms);
          CHECK((co_await s.call([] {})).status() == weft::unavailable("service 'closing' is stopped"));
          co_await std::move(stopping);
          CHECK(*co_await std::move(a) == 1);
          CHECK(*co_await std::move(b) == 2);
        },
        &f));
  }

  TEST_CASE("abort stops what runs and refuses what waits") {
    fixture f{{.reentrancy = weft::reentrancy::exclusive}};
    f.run(weft::with_scope(
        [](fixture* f, weft::scope& scope) -> weft::task<> {
          auto& s = f->service;
          auto running = scope.start(s.call([&s] { return s.slow_increment(1h); }));
          auto waiting = scope.start(s.call([&s] { return s.slow_increment(1h); }));
          std::ignore = co_await weft::sleep_for(1ms);
          co_await s.stop(weft::stop_mode::abort);
          CHECK((co_await std::move(running)).code() == weft::code::cancelled);
          CHECK((co_await std::move(waiting)).code() == weft::code::unavailable);
        },
        &f));
  }

  TEST_CASE("a service's own task runs beside the handlers until the service has drained, and is then stopped") {
    fixture f;
    std::string log;
    f.run([](fixture* f, std::string* log) -> weft::task<> {
      f->service.start(
          [](std::string* log) -> weft::task<> {
            *log += "begun";
            const auto slept = co_await weft::sleep_for(1h);
            *log += slept.ok() ? " in vain" : " stopped";
          },
          log);
      CHECK((co_await f->service.call([] {})).ok());
      co_await f->service.stop(weft::stop_mode::drain);
    }(&f, &log));
    CHECK(log == "begun stopped");
  }

  TEST_CASE("an own task that was started before stop has ended when that returns") {
    test::virtual_time t;
    bool ended = false;
    auto s = std::make_unique<weft::service>(t.rt);
    t.run([](std::unique_ptr<weft::service>* s, bool* ended) -> weft::task<> {
      auto stubborn = [](bool* ended) -> weft::task<> {
        std::ignore = co_await weft::shield(weft::sleep_for(5ms), 1h);
        *ended = true;
      };
      (*s)->start(stubborn, ended);
      co_await (*s)->stop();
      CHECK(*ended);
      s->reset();
    }(&s, &ended));
    CHECK(ended);
  }

  TEST_CASE("an own task that comes too late to start is logged") {
    std::string logged;
    weft::test::world w{{.log = [&logged](const weft::log_record& r) { logged = r.text; }}};
    weft::service s{w, {.name = "gone"}};
    s.stop_and_wait();
    s.start([]() -> weft::task<> { co_return; });
    w.settle();
    CHECK(logged == "service 'gone': start: UNAVAILABLE: service 'gone' is stopped");
  }

  TEST_CASE("calls whose callers have gone keep nobody out of a full mailbox") {
    fixture f{{.reentrancy = weft::reentrancy::exclusive, .mailbox = 3}};
    f.run(weft::with_scope(
        [](fixture* f, weft::scope& scope) -> weft::task<> {
          auto& s = f->service;
          auto blocker = scope.start(s.call([&s] { return s.slow_increment(100ms); }));
          co_await weft::yield{};
          co_await weft::yield{};
          std::vector<weft::started<weft::result<weft::unit>>> given_up;
          for (int i = 0; i < 3; ++i) given_up.push_back(scope.start(s.call([] {}, weft::within{10ms})));
          for (auto& g : given_up) CHECK((co_await std::move(g)).code() == weft::code::deadline_exceeded);
          CHECK((co_await s.call([] {}, weft::within{1s})).ok());
          CHECK((co_await std::move(blocker)).ok());
          CHECK(s.counters().abandoned == 3);
        },
        &f));
  }

  TEST_CASE("several services on one strand take turns") {
    test::virtual_time t;
    weft::strand shared{t.rt};
    counter a{t.rt, {.strand = &shared}}, b{t.rt, {.strand = &shared}}, own{t.rt};
    const auto strand_of = [&t](counter& s) {
      return *t.run(weft::as_task(s.call([] { return weft::worker::current_strand(); })));
    };
    CHECK(strand_of(a) == &shared);
    CHECK(strand_of(b) == &shared);
    CHECK(strand_of(own) == &own.strand());
    CHECK(&own.strand() != &t.rt.control());
  }

  TEST_CASE("calls from another worker are limited when they reach the service's, not when their turn comes") {
    weft::runtime rt{{.workers = 2}};
    counter far{rt, {.name = "far", .worker = 1, .mailbox = 10}};
    std::latch begun{1}, go{1};
    weft::sync_wait(rt, [](counter* far, std::latch* begun, std::latch* go) -> weft::task<> {
      CHECK(far->send([begun, go] {
                 begun->count_down();
                 go->wait();
               })
                .ok());
      begun->wait();
      for (int i = 0; i < 100; ++i) CHECK(far->send([] {}).ok());  // nothing is known of its mailbox here
      go->count_down();
      co_return;
    }(&far, &begun, &go));
    far.stop_and_wait();
    CHECK(far.counters().started == 11);
    CHECK(far.counters().refused == 90);
  }

  TEST_CASE("calls between two workers all complete once, whenever callers give up") {
    weft::runtime rt{{.workers = 2}};
    counter s{rt, {.name = "far", .worker = 1, .mailbox = 100}};
    std::atomic<int> completed{0};
    auto caller = [](counter* s, std::atomic<int>* completed, int seed) -> weft::task<> {
      for (int i = 0; i < 200; ++i) {
        auto r =
            co_await s->call([s, i] { return s->slow_increment(i % 3 * 1ms); }, weft::within{(i + seed) % 4 * 1ms});
        if (r.ok() || r.code() == weft::code::deadline_exceeded || r.code() == weft::code::resource_exhausted) {
          completed->fetch_add(1);
        }
      }
    };
    weft::sync_wait(rt,
                    weft::with_scope(
                        [](auto caller, counter* s, std::atomic<int>* completed, weft::scope& scope) -> weft::task<> {
                          for (int i = 0; i < 20; ++i) std::ignore = scope.start(caller(s, completed, i));
                          co_return;
                        },
                        caller, &s, &completed));
    CHECK(completed == 20 * 200);
    s.stop_and_wait();
    CHECK(s.running() == 0);
  }

  TEST_CASE("a call that was abandoned on its way to the mailbox keeps nobody out") {
    test::virtual_time t;
    weft::service s{t.rt, {.reentrancy = weft::reentrancy::exclusive, .mailbox = 1}};
    t.run(weft::with_scope(
        [](weft::service* s, weft::scope& scope) -> weft::task<> {
          auto blocker = scope.start(s->call([] { return slow(100ms); }));
          co_await weft::yield{};
          co_await weft::yield{};
          co_await abandon_on_its_way(s, &scope);
          co_await weft::yield{};
          CHECK(s->waiting() == 1);
          CHECK((co_await s->call([] {}, weft::within{1s})).code() == weft::code::ok);
          CHECK((co_await std::move(blocker)).ok());
        },
        &s));
    t.run(s.stop());
  }

  TEST_CASE("after one was abandoned on its way, calls that are abandoned in the mailbox keep nobody out either") {
    test::virtual_time t;
    weft::service s{t.rt, {.reentrancy = weft::reentrancy::exclusive, .mailbox = 1}};
    t.run(weft::with_scope(
        [](weft::service* s, weft::scope& scope) -> weft::task<> {
          {
            auto blocker = scope.start(s->call([] { return slow(100ms); }));
            co_await weft::yield{};
            co_await weft::yield{};
            co_await abandon_on_its_way(s, &scope);
            CHECK((co_await std::move(blocker)).ok());
            co_await slow(100ms);
            CHECK(s->waiting() == 0);
          }
          auto blocker = scope.start(s->call([] { return slow(100ms); }));
          co_await weft::yield{};
          co_await weft::yield{};
          CHECK((co_await s->call([] {}, weft::within{10ms})).code() == weft::code::deadline_exceeded);
          co_await weft::yield{};
          CHECK(s->waiting() == 0);  // it does not wait for the handler that blocks it
          CHECK((co_await s->call([] {}, weft::within{1s})).code() == weft::code::ok);
          CHECK((co_await std::move(blocker)).ok());
        },
        &s));
    t.run(s.stop());
  }

  TEST_CASE("once it has stopped, calls from another worker are refused there, however busy its own is") {
    std::latch busy{1}, go{1}, refused{1};
    weft::runtime rt{{.workers = 2}};
    weft::strand shared{rt, {.name = "shared"}}, there{rt, {.name = "there", .worker = 1}};
    auto s = std::make_unique<weft::service>(rt, weft::service_options{.name = "gone", .strand = &shared});
    s->stop_and_wait();
    const auto hold = [](std::latch* busy, std::latch* go) -> weft::task<> {
      busy->count_down();
      go->wait();
      co_return;
    };
    REQUIRE(weft::spawn(shared, "busy", hold, &busy, &go));
    busy.wait();
    const auto call = [](weft::service* s, std::latch* refused) -> weft::task<> {
      auto nothing = [] {};
      CHECK((co_await s->call(nothing)).status() == weft::unavailable("service 'gone' is stopped"));
      refused->count_down();
    };
    REQUIRE(weft::spawn(there, "caller", call, s.get(), &refused));
    refused.wait();
    go.count_down();
    s.reset();  // nothing is on its way to it
  }
}
