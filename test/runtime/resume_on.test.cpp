#include <doctest/doctest.h>

#include <tuple>
#include <weft/runtime/resume_on.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

using namespace std::chrono_literals;

TEST_SUITE("resume_on") {
  TEST_CASE("a task goes on where it is told to, stays there over waits, and ends where it began") {
    weft::runtime rt{{.workers = 2}};
    weft::strand there{rt, {.name = "there", .worker = 1}};
    const int right = weft::sync_wait(rt, [](weft::runtime* rt, weft::strand* there) -> weft::task<int> {
      int right = rt->control().running_here() ? 1 : 0;
      co_await weft::resume_on(*there);
      right += there->running_here() ? 1 : 0;
      std::ignore = co_await weft::sleep_for(1ms);
      right += there->running_here() ? 1 : 0;
      co_await weft::resume_on(*there);
      right += there->running_here() ? 1 : 0;
      co_await weft::resume_on(rt->control());
      right += rt->control().running_here() ? 1 : 0;
      co_await weft::resume_on(*there);
      co_return right;
    }(&rt, &there));
    CHECK(right == 5);
  }

  TEST_CASE("ten thousand hops between two workers arrive") {
    weft::runtime rt{{.workers = 2}};
    weft::strand there{rt, {.worker = 1}};
    const int hops = weft::sync_wait(rt, [](weft::runtime* rt, weft::strand* there) -> weft::task<int> {
      int hops = 0;
      for (int i = 0; i < 5'000; ++i) {
        co_await weft::resume_on(*there);
        hops += there->running_here() ? 1 : 0;
        co_await weft::resume_on(rt->control());
        hops += rt->control().running_here() ? 1 : 0;
      }
      co_return hops;
    }(&rt, &there));
    CHECK(hops == 10'000);
  }
}
