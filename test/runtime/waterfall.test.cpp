#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/waterfall.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

weft::task<int> add_later(int n) {
  std::ignore = co_await weft::sleep_for(1ms);
  co_return n + 1;
}
weft::task<weft::result<int>> add_or_fail(int n) {
  co_await weft::yield{};
  if (n < 0) co_return weft::invalid_argument("negative");
  co_return n + 1;
}
void add_and_call_back(int n, weft::callback<int> done) { done(n + 1); }

}  // namespace

TEST_SUITE("waterfall") {
  TEST_CASE("each step receives the value of the one before it, whatever kind of function it is") {
    test::virtual_time t;
    weft::service adder{t.rt};
    std::vector<int> seen;
    auto value =
        t.run(weft::waterfall([] { return 1; },                                               // a function
                              [&seen](int n) { seen.push_back(n); },                          // nothing
                              []() -> weft::result<int> { return 2; },                        // a result
                              add_later,                                                      // a task
                              add_or_fail,                                                    // a task of a result
                              [&adder](int n) { return adder.call([n] { return n + 1; }); },  // a call
                              add_and_call_back,                                              // callback style, at once
                              [&seen](int n) {
                                seen.push_back(n);
                                return weft::status{};
                              },
                              []() -> weft::task<> { co_await weft::yield{}; },  // a task of nothing
                              [] { return weft::sleep_for(1ms); },               // any awaitable
                              [](weft::callback<std::unique_ptr<int>> done) { done(std::make_unique<int>(7)); },
                              [](std::unique_ptr<int> n) { return std::to_string(*n); }));
    REQUIRE(value.ok());
    CHECK(*value == "7");
    CHECK(seen == std::vector<int>{1, 6});
  }

  TEST_CASE("the first error ends it, and later steps do not run") {
    test::virtual_time t;
    int later = 0;
    const auto count = [&later] { return ++later; };
    const auto count_int = [&later](int) { return ++later; };
    CHECK(t.run(weft::waterfall([] { return -1; }, add_or_fail, count_int)).status() ==
          weft::invalid_argument("negative"));
    CHECK(t.run(weft::waterfall([]() -> weft::status { return weft::aborted("no"); }, count)).code() ==
          weft::code::aborted);
    CHECK(t.run(weft::waterfall([](weft::callback<int> done) { done(weft::not_found("no")); }, count_int)).code() ==
          weft::code::not_found);
    CHECK(t.run(weft::waterfall([]() -> weft::result<int> { return weft::aborted("no"); }, count_int, count_int))
              .code() == weft::code::aborted);
    CHECK(later == 0);
  }

  TEST_CASE("an exception of a step comes out and later steps do not run") {
    test::virtual_time t;
    int later = 0;
    CHECK_THROWS_WITH(
        std::ignore = t.run(weft::waterfall([] { throw std::runtime_error{"boom"}; }, [&later] { ++later; })), "boom");
    CHECK(later == 0);
  }

  TEST_CASE("a thousand waterfalls interleave on one thread") {
    test::virtual_time t;
    const auto begin = t.clock.now();
    long long sum = 0;
    std::vector<int> order;
    t.run(weft::with_scope(
        [](long long* sum, std::vector<int>* order, weft::scope& s) -> weft::task<> {
          for (int i = 0; i < 1'000; ++i) {
            std::ignore = s.start(weft::waterfall([i] { return i; }, add_later, add_and_call_back, add_or_fail,
                                                  [order](int n) {
                                                    order->push_back(n);
                                                    return n;
                                                  },
                                                  add_later, [sum](int n) { *sum += n; }));
          }
          co_return;
        },
        &sum, &order));
    CHECK(sum == 499'500 + 4 * 1'000);
    CHECK(order.size() == 1'000);
    CHECK(t.clock.now() - begin <= 6ms);  // not one after the other, which would take 2 s
  }

  TEST_CASE("a callback invoked twice is reported with its step, and the first value stands") {
    std::vector<std::string> log;
    weft::manual_clock clock;
    weft::runtime rt{{.workers = 0, .time = &clock, .log = [&log](std::string_view line) { log.emplace_back(line); }}};
    auto value = weft::sync_wait(rt, weft::waterfall([] { return 1; },
                                                     [](int n, weft::callback<int> done) {
                                                       done(n);
                                                       done(weft::aborted("again"));
                                                     },
                                                     [](int n) { return n * 10; }));
    CHECK(*value == 10);
    CHECK(log ==
          std::vector<std::string>{"waterfall, step 2: the callback was invoked again; the first outcome stands"});
  }

  TEST_CASE("a callback that is never invoked ends it with an error") {
    test::virtual_time t;
    const auto value = t.run(weft::waterfall([](weft::callback<int>) {}, [](int) { FAIL("ran"); }));
    CHECK(value.status() ==
          weft::internal_error("waterfall, step 1: the callback was dropped without having been invoked"));
  }

  TEST_CASE("stop ends it at the step that waits") {
    test::virtual_time t;
    std::function<void(int)> kept;
    const auto begin = t.clock.now();
    const auto for_ever = [&kept](weft::callback<int> done) { kept = std::move(done); };
    CHECK(t.run(weft::with_timeout(5ms, weft::waterfall(for_ever, [](int) { FAIL("ran"); }))).code() ==
          weft::code::deadline_exceeded);
    CHECK(t.run(weft::with_timeout(5ms, weft::waterfall([] { return weft::sleep_for(1h); }, [] { FAIL("ran"); })))
              .code() == weft::code::deadline_exceeded);
    CHECK(t.clock.now() - begin < 15ms);
    kept = nullptr;
  }

  TEST_CASE("steps that capture live until it has ended") {
    test::virtual_time t;
    const auto text = std::make_shared<std::string>("kept");
    auto value = t.run(weft::waterfall([text]() -> weft::task<std::string> {
      std::ignore = co_await weft::sleep_for(1ms);
      co_return *text;
    }));
    CHECK(*value == "kept");
    CHECK(text.use_count() == 1);
  }

  TEST_CASE("on runs all steps on another strand, of another worker too, and the result comes back") {
    weft::runtime rt{{.workers = 2}};
    weft::strand there{rt, {.worker = 1}};
    weft::sync_wait(rt, [](weft::runtime* rt, weft::strand* there) -> weft::task<> {
      auto value = co_await weft::waterfall(
          weft::on(*there), [there] { return there->running_here() ? 1 : 100; }, add_later,
          [there](int n, weft::callback<int> done) { done(there->running_here() ? n + 1 : 100); });
      CHECK(*value == 3);
      CHECK(rt->control().running_here());
    }(&rt, &there));
  }
}
