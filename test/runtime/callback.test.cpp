#include <doctest/doctest.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/callback.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

// Keeps a callback for later, as a library in callback style does.
struct library {
  std::function<void(weft::result<int>)> done;
  void begin(weft::callback<int> c) { done = std::move(c); }
};

weft::task<> invoke_later(library* l, weft::duration d, weft::result<int> outcome) {
  std::ignore = co_await weft::sleep_for(d);
  l->done(std::move(outcome));
  l->done = nullptr;
}

auto begin_in(library* l) {
  return weft::with_callback<int>([l](weft::callback<int> c) { l->begin(std::move(c)); });
}

}  // namespace

TEST_SUITE("callback") {
  TEST_CASE("a callback gives the waiting task its value or error, at once or later") {
    test::virtual_time t;
    CHECK(*t.run(weft::with_callback<int>([](int n, weft::callback<int> done) { done(n + 1); }, 4)) == 5);
    CHECK(*t.run(weft::with_callback<int>([](auto done) { done(weft::status{}, 6); })) == 6);
    CHECK(t.run(weft::with_callback<int>([](auto done) { done(weft::aborted("no"), 6); })).code() ==
          weft::code::aborted);
    CHECK(t.run(weft::with_callback([](auto done) { done(); })).ok());
    CHECK(t.run(weft::with_callback([](auto done) { done(weft::status{}); })).ok());
    library l;
    auto [value, nothing] = t.run(weft::when_all(begin_in(&l), invoke_later(&l, 5ms, 7)));
    CHECK(*value == 7);
    auto [error, again] = t.run(weft::when_all(begin_in(&l), invoke_later(&l, 5ms, weft::not_found("no"))));
    CHECK(error.status() == weft::not_found("no"));
  }

  TEST_CASE("invoking a callback resumes nobody inline") {
    test::virtual_time t;
    library l;
    t.run(weft::with_scope(
        [](library* l, weft::scope& s) -> weft::task<> {
          auto waits = s.start(begin_in(l));
          co_await weft::yield{};
          l->done(1);
          CHECK_FALSE(waits.done());
          CHECK(*co_await std::move(waits) == 1);
        },
        &l));
  }

  TEST_CASE("a callback invoked again is logged and the first outcome stands, also when the task has ended") {
    weft::manual_clock clock;
    std::vector<std::string> log;
    weft::runtime rt{{.workers = 0, .time = &clock, .log = [&log](std::string_view line) { log.emplace_back(line); }}};
    const auto twice = [](weft::callback<int> done) {
      done(1);
      done(2);
    };
    CHECK(*weft::sync_wait(rt, weft::with_callback<int>(twice)) == 1);
    REQUIRE(log.size() == 1);
    CHECK(log[0] == "with_callback: the callback was invoked again; the first outcome stands");
    library l;
    weft::sync_wait(rt, [](library* l) -> weft::task<> {
      auto got = co_await weft::with_callback<int>([l](weft::callback<int> c) {
        c(3);
        l->begin(c);
      });
      CHECK(*got == 3);
      l->done(4);
    }(&l));
    CHECK(log.size() == 2);
  }

  TEST_CASE("a callback that is dropped ends the wait with INTERNAL") {
    test::virtual_time t;
    const auto never = weft::internal_error("with_callback: the callback was dropped without having been invoked");
    CHECK(t.run(weft::with_callback<int>([](weft::callback<int>) {})).status() == never);
    library l;
    t.run(weft::with_scope(
        [](library* l, weft::status never, weft::scope& s) -> weft::task<> {
          auto waits = s.start(begin_in(l));
          std::ignore = co_await weft::sleep_for(5ms);
          l->done = nullptr;
          auto got = co_await std::move(waits);
          CHECK(got.status() == never);
        },
        &l, never));
  }

  TEST_CASE("stop ends the wait at once; the callback may be invoked later, to no effect") {
    test::virtual_time t;
    library l;
    CHECK(t.run(weft::with_timeout(5ms, begin_in(&l))).code() == weft::code::deadline_exceeded);
    t.run([](library* l) -> weft::task<> {
      l->done(1);
      l->done = nullptr;
      co_return;
    }(&l));
  }

  TEST_CASE("an exception of the function comes out") {
    test::virtual_time t;
    CHECK_THROWS_WITH(
        std::ignore = t.run(weft::with_callback<int>([](weft::callback<int>) { throw std::runtime_error{"boom"}; })),
        "boom");
  }
}
