#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

struct fixture : test::virtual_time {
  explicit fixture(weft::service_options o = {}) : service{rt, o} {}
  ~fixture() override { run(service.stop(weft::stop_mode::abort)); }
  weft::service service;
};

weft::task<weft::result<int>> after(weft::duration d, int value) {
  if (auto s = co_await weft::sleep_for(d); !s.ok()) co_return s;
  co_return value;
}

weft::task<weft::result<int>> await_copy(weft::ticket<int> t) { co_return co_await t; }

struct stopped_clock final : weft::clock {
  weft::time_point now() const noexcept override { return weft::time_point{1h}; }
};

weft::task<> slow(weft::duration d) { std::ignore = co_await weft::sleep_for(d); }

}  // namespace

TEST_SUITE("ticket") {
  TEST_CASE("a ticket yields the value before and after the function has ended, any number of times") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      const auto t = f->service.post([] { return after(5ms, 7); });
      CHECK_FALSE(t.done());
      CHECK(*co_await t == 7);
      CHECK(t.done());
      CHECK(*co_await t == 7);
    }(&f));
  }

  TEST_CASE("several tasks await one ticket, each gets the value") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      const auto t = f->service.post([] { return after(5ms, 7); });
      const auto all = co_await weft::when_all(await_copy(t), await_copy(t), await_copy(t));
      CHECK(*std::get<0>(all) + *std::get<1>(all) + *std::get<2>(all) == 21);
    }(&f));
  }

  TEST_CASE("numbers are unique and functions start in their order") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      std::vector<std::uint64_t> started;
      std::vector<weft::ticket<weft::unit>> tickets;
      for (std::uint64_t i = 1; i <= 100; ++i) {
        tickets.push_back(f->service.post([&started, i] { started.push_back(i); }));
        CHECK(tickets.back().serial() == i);
      }
      for (const auto& t : tickets) CHECK((co_await t).ok());
      CHECK(std::is_sorted(started.begin(), started.end()));
      CHECK(started.size() == 100);
    }(&f));
  }

  TEST_CASE("by number: while it is in progress, after it is done, and not once it is forgotten") {
    fixture f{{.name = "rooms", .tickets = 2}};
    f.run([](fixture* f) -> weft::task<> {
      auto& s = f->service;
      const auto slow = s.post([] { return after(5ms, 7); });
      CHECK(*co_await s.wait<int>(slow.serial()) == 7);
      CHECK(*co_await s.wait<int>(slow.serial()) == 7);
      for (int i = 0; i < 2; ++i) CHECK((co_await s.post([] { return 1; })).ok());
      CHECK((co_await s.wait<int>(slow.serial())).status() == weft::not_found("service 'rooms' knows no ticket 1"));
      CHECK((co_await s.wait<int>(99)).code() == weft::code::not_found);
      CHECK((co_await s.wait<double>(3)).status() == weft::invalid_argument("ticket 3 has a value of another type"));
    }(&f));
  }

  TEST_CASE("errors and exceptions of the function come out of the ticket") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      const auto failed = f->service.post([]() -> weft::result<int> { return weft::aborted("no"); });
      CHECK((co_await failed).status() == weft::aborted("no"));
      const auto threw = f->service.post([]() -> int { throw std::runtime_error{"on purpose"}; });
      CHECK((co_await threw).code() == weft::code::unknown);
    }(&f));
  }

  TEST_CASE("a waiter that is stopped is released at once, the function goes on") {
    fixture f;
    const auto begin = f.clock.now();
    f.run([](fixture* f, weft::time_point begin) -> weft::task<> {
      const auto t = f->service.post([] { return after(100ms, 7); });
      const auto late = co_await weft::with_timeout(10ms, await_copy(t));
      CHECK(late.code() == weft::code::deadline_exceeded);
      CHECK(f->clock.now() - begin < 20ms);
      CHECK(*co_await t == 7);
    }(&f, begin));
  }

  TEST_CASE("at its deadline every waiter gets DEADLINE_EXCEEDED and the function is stopped") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      auto stopped = std::make_shared<bool>(false);
      const auto t = f->service.post([stopped]() -> weft::task<> { *stopped = !(co_await weft::sleep_for(1h)).ok(); },
                                     weft::within{10ms});
      CHECK((co_await t).status() == weft::deadline_exceeded("the posted call took too long"));
      co_await weft::yield{};
      CHECK(*stopped);
    }(&f));
  }

  TEST_CASE("a service that refuses or stops tells every waiter; done tickets outlive it") {
    test::virtual_time t;
    auto s = std::make_unique<weft::service>(
        t.rt, weft::service_options{.name = "dying", .reentrancy = weft::reentrancy::exclusive, .mailbox = 1});
    const auto kept = t.run(weft::with_scope(
        [](weft::service* s, weft::scope& scope) -> weft::task<weft::ticket<int>> {
          const auto done = s->post([] { return 3; });
          CHECK(*co_await done == 3);
          const auto running = s->post([] { return after(1h, 1); }, weft::within{2h});
          co_await weft::yield{};
          const auto waiting = s->post([] { return 2; });
          const auto refused = s->post([] { return 2; });
          CHECK(refused.done());
          CHECK((co_await refused).code() == weft::code::resource_exhausted);
          auto first = scope.start(await_copy(running));
          auto second = scope.start(await_copy(waiting));
          auto third = scope.start(s->wait<int>(waiting.serial()));
          co_await weft::yield{};
          co_await s->stop(weft::stop_mode::abort);
          CHECK((co_await std::move(first)).code() == weft::code::cancelled);
          CHECK((co_await std::move(second)).status() == weft::unavailable("service 'dying' is stopped"));
          CHECK((co_await std::move(third)).code() == weft::code::unavailable);
          CHECK((co_await s->post([] { return 1; })).code() == weft::code::unavailable);
          co_return done;
        },
        s.get()));
    s.reset();
    CHECK(*t.run(await_copy(kept)) == 3);
  }

  TEST_CASE("tickets of a service on another worker, awaited from both") {
    weft::runtime rt{{.workers = 2}};
    weft::service s{rt, {.worker = 1}};
    const int sum = weft::sync_wait(rt, [](weft::service* s) -> weft::task<int> {
      int sum = 0;
      for (int i = 1; i <= 1'000; ++i) {
        const auto t = s->post([i] { return i; });
        const auto by_number = co_await s->wait<int>(t.serial());
        const auto by_ticket = co_await t;
        sum += by_number.ok() && by_ticket.ok() && *by_number == *by_ticket ? 1 : 0;
      }
      co_return sum;
    }(&s));
    CHECK(sum == 1'000);
    s.stop_and_wait();
  }

  TEST_CASE("a ticket is awaited on another worker while its service stops and goes") {
    stopped_clock c;
    std::atomic<bool> asked{false};
    std::atomic<const weft::ticket<int>*> given{nullptr};
    std::latch both{2};
    weft::result<int> got = weft::unavailable("nothing came");
    weft::runtime rt{{.workers = 2, .time = &c}};
    weft::strand here{rt, {.name = "here"}}, there{rt, {.name = "there", .worker = 1}};
    auto s = std::make_unique<weft::service>(rt, weft::service_options{.name = "posted to"});
    weft::spawn(
        here, "owner",
        [](auto* s, auto* asked, auto* given, std::latch* both) -> weft::task<> {
          auto t = (*s)->post([] { return 7; });
          given->store(&t);
          while (!asked->load()) std::this_thread::yield();  // this worker is busy; the other awaits meanwhile
          co_await (*s)->stop();
          s->reset();
          both->count_down();
        },
        &s, &asked, &given, &both);
    weft::spawn(
        there, "waiter",
        [](auto* given, auto* got, std::latch* both) -> weft::task<> {
          while (given->load() == nullptr) std::this_thread::yield();
          auto t = *given->load();
          *got = co_await t;
          both->count_down();
        },
        &given, &got, &both);
    weft::spawn(
        there, "teller",
        [](auto* given, auto* asked) -> weft::task<> {
          while (given->load() == nullptr) std::this_thread::yield();
          asked->store(true);
          co_return;
        },
        &given, &asked);
    both.wait();
    CHECK(got.ok());
  }

  TEST_CASE("a ticket whose limit passes in the mailbox is settled at its deadline") {
    test::virtual_time t;
    weft::service s{t.rt, {.reentrancy = weft::reentrancy::exclusive}};
    t.run([](weft::service* s) -> weft::task<> {
      const auto blocker = s->post([] { return slow(3s); });
      const auto ticket = s->post([] { return 1; }, weft::within{1s});
      const auto before = s->strand().home().now();
      CHECK((co_await ticket).code() == weft::code::deadline_exceeded);
      CHECK(s->strand().home().now() - before < 1100ms);
      CHECK((co_await blocker).ok());
    }(&s));
    t.run(s.stop());
  }
}
