#include <doctest/doctest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <csignal>
#include <thread>
#include <tuple>
#include <utility>
#include <weft/runtime/io.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

// Runs on the I/O thread after what was submitted before.
struct raise_there final : weft::work {
  explicit raise_there(int s) : signal{s} {}
  void run() noexcept override { std::raise(signal); }
  int signal;
};

}  // namespace

TEST_SUITE("io") {
  TEST_CASE("a signal ends all waits for it, with its number") {
    weft::runtime rt;
    weft::io net;
    raise_there raiser{SIGUSR2};
    auto body = [](weft::io* net, raise_there* raiser, weft::scope& s) -> weft::task<> {
      auto one = s.start(weft::wait_for_signal(*net, {SIGUSR1, SIGUSR2}));
      auto two = s.start(weft::wait_for_signal(*net, {SIGUSR2}));
      co_await weft::yield{};
      co_await weft::yield{};
      CHECK(net->core()->submit(*raiser));
      const int first = co_await std::move(one);
      const int second = co_await std::move(two);
      CHECK(first == SIGUSR2);
      CHECK(second == SIGUSR2);
    };
    weft::sync_wait(rt, weft::with_scope(body, &net, &raiser));
  }

  TEST_CASE("a wait for a signal answers stop with 0, begun or not") {
    weft::runtime rt;
    weft::io net;
    auto body = [](weft::io* net, weft::scope& s) -> weft::task<> {
      auto waiting = s.start(weft::wait_for_signal(*net, {SIGUSR1}));
      auto late = s.start(weft::wait_for_signal(*net, {SIGUSR1}));
      late.stop();
      co_await weft::yield{};
      waiting.stop();
      const int number = co_await std::move(waiting);
      const int number_late = co_await std::move(late);
      CHECK(number == 0);
      CHECK(number_late == 0);
    };
    weft::sync_wait(rt, weft::with_scope(body, &net));
  }

  TEST_CASE("a wait for what is no signal yields 0, and so does one at an io that has stopped") {
    weft::runtime rt;
    weft::io net;
    auto body = [](weft::io* net) -> weft::task<int> { co_return co_await weft::wait_for_signal(*net, {-1}); };
    CHECK(weft::sync_wait(rt, body(&net)) == 0);
    net.stop();
    auto after = [](weft::io* net) -> weft::task<int> { co_return co_await weft::wait_for_signal(*net, {SIGUSR1}); };
    CHECK(weft::sync_wait(rt, after(&net)) == 0);
  }

  TEST_CASE("stopping the io ends waits for signals") {
    weft::runtime rt;
    weft::io net;
    std::atomic<bool> begun{false};
    std::atomic<int> number{-1};
    auto body = [](weft::io* net, std::atomic<bool>* begun, std::atomic<int>* number, weft::scope& s) -> weft::task<> {
      auto waiting = s.start(weft::wait_for_signal(*net, {SIGUSR1}));
      co_await weft::yield{};
      begun->store(true);
      begun->notify_all();
      const int n = co_await std::move(waiting);
      number->store(n);
      number->notify_all();
    };
    CHECK(weft::spawn(
        rt.control(), "body",
        [](auto body, auto* net, auto* begun, auto* number) -> weft::task<> {
          co_await weft::with_scope(body, net, begun, number);
        },
        body, &net, &begun, &number));
    begun.wait(false);
    net.stop();
    number.wait(-1);
    CHECK(number == 0);
  }

  TEST_CASE("the program's own handlers run on the io's thread") {
    weft::io net;
    std::atomic<bool> ran{false};
    std::thread::id there;
    boost::asio::post(net.context(), [&] {
      there = std::this_thread::get_id();
      ran = true;
      ran.notify_all();
    });
    ran.wait(false);
    CHECK(there != std::this_thread::get_id());
  }

  TEST_CASE("without a thread the program polls, as often as it likes") {
    weft::io net{{.thread = false}};
    int ran = 0;
    CHECK(net.poll() == 0);
    boost::asio::post(net.context(), [&] { ++ran; });
    CHECK(net.poll() == 1);
    boost::asio::post(net.context(), [&] { ++ran; });
    CHECK(net.poll() == 1);
    CHECK(ran == 2);
  }

  TEST_CASE("an io stops once, whoever asks, and takes no more work then") {
    weft::io net;
    net.stop();
    net.stop();
    raise_there never{SIGUSR1};
    CHECK_FALSE(net.core()->submit(never));
  }
}
