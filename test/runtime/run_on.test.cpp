#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<bool> runs_on(weft::strand* s) {
  co_await weft::yield{};
  co_return s->running_here();
}
weft::task<weft::status> sleep_long() { co_return co_await weft::sleep_for(1h); }

weft::task<> visit_and_return(weft::runtime* rt, weft::strand* there) {
  for (int i = 0; i < 1'000; ++i) {
    CHECK(co_await weft::run_on(*there, runs_on, there));
    CHECK(rt->control().running_here());
  }
}

}  // namespace

TEST_SUITE("run_on") {
  TEST_CASE("a function runs on the strand that was named, and its caller goes on where it was") {
    weft::runtime rt{{.workers = 2}};
    weft::strand near{rt, {.worker = 0}}, far{rt, {.worker = 1}};
    weft::sync_wait(rt, visit_and_return(&rt, &near));
    weft::sync_wait(rt, visit_and_return(&rt, &far));
    weft::sync_wait(rt, visit_and_return(&rt, &rt.control()));
  }

  TEST_CASE("an exception comes out at the caller") {
    weft::runtime rt{{.workers = 2}};
    weft::strand far{rt, {.worker = 1}};
    auto throws = []() -> weft::task<> {
      throw std::runtime_error{"boom"};
      co_return;
    };
    CHECK_THROWS_WITH(weft::sync_wait(rt, weft::run_on(far, throws)), "boom");
  }

  TEST_CASE("stop and the deadline go along, and the task there is awaited") {
    test::virtual_time t;
    weft::strand there{t.rt};
    const auto begin = t.clock.now();
    CHECK(t.run(weft::with_timeout(10ms, weft::run_on(there, sleep_long))).code() == weft::code::deadline_exceeded);
    CHECK(t.clock.now() - begin < 20ms);
    t.run(weft::with_scope(
        [](weft::strand* there, weft::scope& s) -> weft::task<> {
          s.stop();
          auto slept = co_await weft::run_on(*there, sleep_long);
          CHECK(slept.code() == weft::code::cancelled);
          auto slow = [](weft::context* caller) -> weft::task<bool> {
            auto& ctx = co_await weft::current();
            std::ignore = co_await weft::shield(weft::sleep_for(5ms), 1h);
            co_return ctx.stopped() && caller->stopped();
          };
          auto& ctx = co_await weft::current();
          CHECK(co_await weft::run_on(*there, slow, &ctx));
        },
        &there));
  }

  TEST_CASE("stops that cross the task's end on another worker leave nothing behind") {
    weft::runtime rt{{.workers = 2}};
    weft::strand far{rt, {.worker = 1}};
    const auto copies = std::make_shared<int>();
    weft::sync_wait(rt, [](weft::strand* far, std::shared_ptr<int> copies) -> weft::task<> {
      for (int i = 0; i < 2'000; ++i) {
        co_await weft::with_scope(
            [](weft::strand* far, std::shared_ptr<int> copies, int i, weft::scope& s) -> weft::task<> {
              auto short_task = [](std::shared_ptr<int>, int yields) -> weft::task<> {
                for (; yields > 0; --yields) co_await weft::yield{};
              };
              auto visiting = s.start(weft::run_on(*far, short_task, copies, i % 4));
              for (int n = i % 7; n > 0; --n) co_await weft::yield{};
              visiting.stop();
              co_await std::move(visiting);
            },
            far, copies, i);
      }
    }(&far, copies));
    rt.stop();
    CHECK(copies.use_count() == 1);
  }
}
