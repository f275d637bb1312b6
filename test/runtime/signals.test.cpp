#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <utility>
#include <weft/runtime/io.hpp>
#include <weft/runtime/resume_on.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

// For sync_wait: the next signal, on the control strand.
int next_of(weft::runtime& rt, weft::signals& watch) { return weft::sync_wait(rt, watch.next()); }

// Until all that is ready has run: a task that was started before waits now.
weft::task<> let_begin() {
  co_await weft::yield{};
  co_await weft::yield{};
}

}  // namespace

TEST_SUITE("signals") {
  TEST_CASE("signals that come while nobody waits end nothing, and are told later, in order") {
    weft::runtime rt;
    weft::io net;
    weft::signals watch{net, {SIGUSR1, SIGUSR2}};
    weft::signals also{net, {SIGUSR1, SIGUSR2}};
    for (const int number : {SIGUSR2, SIGUSR1, SIGUSR1, SIGUSR2}) {
      std::raise(number);
      CHECK(next_of(rt, also) == number);  // now the I/O thread has seen it
    }
    for (const int number : {SIGUSR2, SIGUSR1, SIGUSR1, SIGUSR2}) CHECK(next_of(rt, watch) == number);
  }

  TEST_CASE("signals that come faster than anybody looks are all told") {
    weft::runtime rt;
    weft::io net;
    weft::signals watch{net, {SIGUSR1}};
    constexpr int many = 1'000;
    for (int i = 0; i < many; ++i) std::raise(SIGUSR1);
    for (int i = 0; i < many; ++i) CHECK(next_of(rt, watch) == SIGUSR1);
  }

  TEST_CASE("a signal is caught as soon as the watch is made, before the io has run at all") {
    weft::runtime rt;
    weft::io net{{.thread = false}};
    weft::signals watch{net, {SIGUSR1}};
    std::raise(SIGUSR1);
    while (net.poll() != 0) {
    }
    CHECK(next_of(rt, watch) == SIGUSR1);
  }

  TEST_CASE("of several that wait each gets one, in the order in which they came") {
    weft::runtime rt;
    weft::io net;
    weft::signals watch{net, {SIGUSR1, SIGUSR2}};
    auto body = [](weft::signals* watch, weft::scope& s) -> weft::task<> {
      auto one = s.start(watch->next());
      auto two = s.start(watch->next());
      co_await let_begin();
      std::raise(SIGUSR2);
      const int first = co_await std::move(one);
      std::raise(SIGUSR1);
      const int second = co_await std::move(two);
      CHECK(first == SIGUSR2);
      CHECK(second == SIGUSR1);
    };
    weft::sync_wait(rt, weft::with_scope(body, &watch));
  }

  TEST_CASE("every watch gets every signal") {
    weft::runtime rt;
    weft::io net;
    weft::io other;
    weft::signals one{net, {SIGUSR1}};
    weft::signals two{net, {SIGUSR1, SIGUSR2}};
    weft::signals three{other, {SIGUSR1}};
    std::raise(SIGUSR1);
    for (auto* watch : {&one, &two, &three}) CHECK(next_of(rt, *watch) == SIGUSR1);
  }

  TEST_CASE("who waits resumes on the own strand, on whichever worker that is") {
    weft::runtime rt{{.workers = 2}};
    weft::io net;
    weft::signals watch{net, {SIGUSR1}};
    auto body = [](weft::signals* watch, weft::strand* home) -> weft::task<int> {
      co_await weft::resume_on{*home};
      const int number = co_await watch->next();
      CHECK(home->running_here());
      co_return number;
    };
    for (const int index : {0, 1}) {
      weft::strand home{rt, {.worker = index}};
      std::thread waiter{[&] { CHECK(weft::sync_wait(rt, body(&watch, &home)) == SIGUSR1); }};
      std::raise(SIGUSR1);
      waiter.join();
    }
  }

  TEST_CASE("a wait answers stop with 0, begun or not, and leaves the next signal to others") {
    weft::runtime rt;
    weft::io net;
    weft::signals watch{net, {SIGUSR1}};
    auto body = [](weft::signals* watch, weft::scope& s) -> weft::task<> {
      auto waiting = s.start(watch->next());
      auto late = s.start(watch->next());
      late.stop();
      co_await let_begin();
      waiting.stop();
      const int number = co_await std::move(waiting);
      const int number_late = co_await std::move(late);
      CHECK(number == 0);
      CHECK(number_late == 0);
      std::raise(SIGUSR1);
      const int next = co_await watch->next();
      CHECK(next == SIGUSR1);
    };
    weft::sync_wait(rt, weft::with_scope(body, &watch));
  }

  TEST_CASE("of a stop and a signal at the same time one wins, and the signal is not lost") {
    weft::runtime rt;
    weft::io net;
    weft::signals watch{net, {SIGUSR1}};
    auto body = [](weft::signals* watch, weft::scope& s) -> weft::task<> {
      for (int i = 0; i < 2'000; ++i) {
        auto waiting = s.start(watch->next());
        co_await let_begin();
        std::raise(SIGUSR1);
        for (int spin = 0; spin < i % 100; ++spin) co_await weft::yield{};
        waiting.stop();
        int number = co_await std::move(waiting);
        if (number == 0) number = co_await watch->next();
        CHECK(number == SIGUSR1);
      }
    };
    weft::sync_wait(rt, weft::with_scope(body, &watch));
  }

  TEST_CASE("where one number is no signal that can be watched for, none is, and next yields 0") {
    weft::runtime rt;
    weft::io net;
    weft::signals none{net, {SIGUSR1, -1}};
    weft::signals unstoppable{net, {SIGKILL}};
    CHECK(next_of(rt, none) == 0);
    CHECK(next_of(rt, unstoppable) == 0);
  }

  TEST_CASE("stopping the io ends waits with 0; the signals stay without effect") {
    weft::runtime rt;
    weft::io net;
    weft::signals watch{net, {SIGUSR1}};
    auto body = [](weft::signals* watch, std::atomic<bool>* begun, weft::scope& s) -> weft::task<> {
      auto waiting = s.start(watch->next());
      co_await let_begin();
      begun->store(true);
      begun->notify_one();
      const int number = co_await std::move(waiting);
      CHECK(number == 0);
    };
    std::atomic<bool> begun{false};
    std::thread waiter{[&] { weft::sync_wait(rt, weft::with_scope(body, &watch, &begun)); }};
    begun.wait(false);
    net.stop();
    waiter.join();
    std::raise(SIGUSR1);
    CHECK(next_of(rt, watch) == 0);
    weft::signals late{net, {SIGUSR2}};
    std::raise(SIGUSR2);
    CHECK(next_of(rt, late) == 0);
  }
}
