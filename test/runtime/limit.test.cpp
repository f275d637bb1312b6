#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/limit.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<int> after(weft::duration d, int value) {
  std::ignore = co_await weft::sleep_for(d);
  co_return value;
}

struct gauge {
  int now = 0;
  int most = 0;
};

// Suspends in as many ways as there are.
weft::task<> measured(gauge* g, std::uint32_t random) {
  g->most = std::max(g->most, ++g->now);
  if (random % 3 == 0) {
    std::ignore = co_await weft::sleep_for(std::chrono::milliseconds{random % 7});
  } else {
    for (auto n = random % 5; n > 0; --n) co_await weft::yield{};
  }
  --g->now;
}

}  // namespace

TEST_SUITE("limit") {
  TEST_CASE("a limit never lets more than n run, over thousands of interleavings and with some that are stopped") {
    std::mt19937 random{7};
    for (std::size_t n : {1U, 2U, 7U}) {
      test::virtual_time t;
      weft::limit limiter{n, 10'000};
      gauge g;
      t.run(weft::with_scope(
          [](weft::limit* limiter, gauge* g, std::mt19937* random, weft::scope& s) -> weft::task<> {
            for (int i = 0; i < 3'000; ++i) {
              auto one = s.start(limiter->run(measured(g, static_cast<std::uint32_t>((*random)()))));
              if (i % 11 == 0) one.stop();
              if (i % 5 == 0) co_await weft::yield{};
            }
          },
          &limiter, &g, &random));
      CHECK(g.most == static_cast<int>(n));
      CHECK(limiter.most_running() == n);
      CHECK(limiter.running() == 0);
      CHECK(limiter.waiting() == 0);
      CHECK(limiter.begun() <= 3'000);
      CHECK(limiter.begun() >= 2'700);
    }
  }

  TEST_CASE("what runs yields its value, its status or ok, and its exception frees the slot") {
    test::virtual_time t;
    weft::limit one{1};
    t.run([](weft::limit* one) -> weft::task<> {
      weft::result<int> value = co_await one->run(after(1ms, 3));
      CHECK(*value == 3);
      weft::status slept = co_await one->run(weft::sleep_for(1ms));
      CHECK(slept.ok());
      weft::status nothing = co_await one->run([](int) -> weft::task<> { co_return; }, 1);
      CHECK(nothing.ok());
      auto throws = []() -> weft::task<> {
        throw std::runtime_error{"boom"};
        co_return;
      };
      CHECK_THROWS_WITH(std::ignore = co_await one->run(throws()), "boom");
      CHECK(one->running() == 0);
    }(&one));
  }

  TEST_CASE("a full waiting room refuses without suspending, and what it refuses never begins") {
    test::virtual_time t;
    weft::limit one{1, 1};
    weft::service backend{t.rt};
    t.run(weft::with_scope(
        [](weft::limit* one, weft::service* backend, weft::scope& s) -> weft::task<> {
          auto runs = s.start(one->run(after(10ms, 1)));
          auto waits = s.start(one->run(after(10ms, 2)));
          co_await weft::yield{};
          bool others_ran = false;
          auto other = [](bool* ran) -> weft::task<> {
            *ran = true;
            co_return;
          };
          std::ignore = s.start(other(&others_ran));
          const auto refused = co_await one->run(after(10ms, 3));
          CHECK(refused.status() == weft::resource_exhausted("1 run and 1 wait, which is the limit"));
          const auto refused_call = co_await one->run(backend->call([] { FAIL("begun"); }));
          CHECK(refused_call.code() == weft::code::resource_exhausted);
          CHECK_FALSE(others_ran);
          CHECK(one->refused() == 2);
          CHECK(*co_await std::move(runs) == 1);
          CHECK(*co_await std::move(waits) == 2);
        },
        &one, &backend));
  }

  TEST_CASE("what is stopped while it waits ends with CANCELLED, never begins and leaves its place to the next") {
    test::virtual_time t;
    weft::limit one{1};
    std::vector<int> begun;
    t.run(weft::with_scope(
        [](weft::limit* one, std::vector<int>* begun, weft::scope& s) -> weft::task<> {
          auto job = [](std::vector<int>* begun, int i) -> weft::task<> {
            begun->push_back(i);
            std::ignore = co_await weft::sleep_for(1ms);
          };
          auto first = s.start(one->run(job, begun, 1));
          auto second = s.start(one->run(job, begun, 2));
          auto third = s.start(one->run(job, begun, 3));
          co_await weft::yield{};
          second.stop();
          const auto stopped = co_await std::move(second);
          CHECK(stopped.code() == weft::code::cancelled);
          CHECK((co_await std::move(third)).ok());
          CHECK((co_await std::move(first)).ok());
        },
        &one, &begun));
    CHECK(begun == std::vector<int>{1, 3});
  }
}
