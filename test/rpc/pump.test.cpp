// A runtime without threads of weft's that calls and serves: everything happens in pump.
#include <doctest/doctest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/session.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>

#include "../support/idle_pump.hpp"
#include "../support/program.hpp"
#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::v1::EchoRequest;

namespace {

EchoRequest say(std::string text, std::chrono::microseconds delay = {}) {
  EchoRequest r;
  r.set_text(std::move(text));
  r.set_delay_us(delay.count());
  return r;
}

weft::rpc_options pumped(bool fd = false) {
  weft::rpc_options o;
  o.runtime.workers = 0;
  o.runtime.wake.fd = fd;
  o.runtime.log = [](std::string_view) {};
  return o;
}

weft::task<> call_once(test::v1::Echo::client echo, EchoRequest request, int* good) {
  auto reply = co_await echo.Say(std::move(request));
  *good += reply.ok() ? 1 : 0;
}

weft::task<> call_often(test::v1::Echo::client echo, int times, int* good) {
  for (int i = 0; i < times; ++i) co_await call_once(echo, say("again"), good);
}

// A pumped server, and a caller on a thread of its own.
struct pumped_server {
  explicit pumped_server(bool fd) : rt{pumped(fd)} {
    server.add(service);
    REQUIRE(server.start().ok());
    to.emplace(remote, server.address());
  }
  ~pumped_server() { service.stop_and_wait(); }

  /// Until the handler of this call runs.
  void begin(EchoRequest request) {
    caller = std::thread{[this, request = std::move(request)] {
      weft::sync_wait(remote, call_once(test::v1::Echo::client{*to}, request, &answered));
    }};
    while (service.begun == 0) rt.pump();
  }
  /// After the call has ended: how many were answered.
  int good() {
    caller.join();
    return answered;
  }

  weft::rpc_runtime rt;
  test::echo_service service{rt};
  weft::server server{rt};
  weft::rpc_runtime remote{pumped()};
  std::optional<weft::peer> to;
  int answered = 0;
  std::thread caller;
};

bool wait_readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, 10'000) == 1;
}

}  // namespace

TEST_SUITE("pumped rpc") {
  TEST_CASE("calls complete in pump, on the pumping thread, and not outside of it") {
    test::two_sides remote;
    weft::rpc_runtime rt{pumped()};
    weft::peer to{rt, remote.server.address()};
    int good = 0;
    REQUIRE(weft::spawn(rt.control(), "caller", &call_once, test::v1::Echo::client{to}, say("hi"), &good));
    CHECK(good == 0);
    while (good == 0) rt.pump();
    CHECK(good == 1);
  }

  TEST_CASE("the descriptor tells an outside loop when a reply has come") {
    test::two_sides remote;
    std::atomic<int> started{0};
    auto options = pumped(true);
    options.runtime.thread_start = [&](const char* name) {
      started += std::string_view{name} == "weft-waiter" ? 1 : 100;
    };
    weft::rpc_runtime rt{std::move(options)};
    weft::peer to{rt, remote.server.address()};
    int good = 0;
    REQUIRE(weft::spawn(rt.control(), "caller", &call_often, test::v1::Echo::client{to}, 200, &good));
    while (good < 200) {
      REQUIRE(wait_readable(rt.wake_fd()));
      rt.pump();
    }
    CHECK(started == 1);
  }

  TEST_CASE("a runtime with a descriptor ends with calls in flight, again and again") {
    test::two_sides remote;
    for (int i = 0; i < 20; ++i) {
      weft::rpc_runtime rt{pumped(true)};
      weft::peer to{rt, remote.server.address()};
      int good = 0;
      for (int n = 0; n < 10; ++n) {
        REQUIRE(weft::spawn(rt.control(), "caller", &call_once, test::v1::Echo::client{to}, say("slow", 1h), &good));
      }
      for (int n = 0; n < i; ++n) rt.pump();
      rt.stop();  // some have not made their calls yet, and the peer goes first
    }
  }

  TEST_CASE("a budget holds with a thousand replies waiting") {
    test::two_sides remote;
    weft::rpc_runtime rt{pumped()};
    weft::peer to{rt, remote.server.address()};
    int good = 0;
    weft::sync_wait(rt, call_once(test::v1::Echo::client{to}, say("connects"), &good));
    CHECK(std::exchange(good, 0) == 1);
    for (int i = 0; i < 1'000; ++i) {
      REQUIRE(weft::spawn(rt.control(), "caller", &call_once, test::v1::Echo::client{to}, say("hi"), &good));
    }
    std::size_t pumps = 0;
    while (good < 1'000) {
      const auto r = rt.pump({.budget = 1h, .max_events = 100});
      CHECK(r.ran <= 100);
      ++pumps;
    }
    CHECK(pumps >= 20);  // each call is an entry that starts it and an event at least
  }

  TEST_CASE("a pumped server serves, and its stop lets what it runs finish within the grace") {
    for (const bool fd : {false, true}) {
      CAPTURE(fd);
      pumped_server f{fd};
      f.begin(say("patience", 100ms));
      f.server.stop(10s);
      CHECK(f.good() == 1);
      CHECK(f.service.stopped == 0);
    }
  }

  TEST_CASE("a pumped server's stop without grace ends what it runs") {
    pumped_server f{false};
    f.begin(say("slow", 1h));
    f.server.stop();
    CHECK(f.service.stopped == 1);
    CHECK(f.good() == 0);
  }

#if !WEFT_ASAN && !WEFT_TSAN  // they cost more than it
  TEST_CASE("a pump with nothing to do costs less than 5 us of CPU, with a connection and with a descriptor too") {
    for (const bool fd : {false, true}) {
      // A process of its own: another thread that polls gRPC makes each look at it cost some 10 us.
      test::program remote{{ECHO_PROGRAM, "serve", "127.0.0.1:0", "0"}};
      weft::rpc_runtime rt{pumped(fd)};
      weft::peer to{rt, remote.line()};
      weft::session session{to};
      int good = 0;
      weft::sync_wait(rt, call_once(test::v1::Echo::client{session.ordered(1)}, say("hi"), &good));
      CHECK(good == 1);
      const auto cost = test::idle_pump_us(rt);
      MESSAGE("a pump with nothing to do: " << cost << " us, descriptor: " << fd);
      CHECK(cost < 5.0);
    }
  }
#endif

  TEST_CASE("coroutines of a pumped runtime call by the worker of another, and resume in pump") {
    weft::rpc_options with_thread;
    with_thread.runtime.log = [](std::string_view) {};
    weft::rpc_runtime net{std::move(with_thread)};
    test::echo_service service{net};
    weft::server server{net};
    server.add(service);
    REQUIRE(server.start().ok());
    weft::peer peer{net, server.address()};
    const weft::session session{peer};
    weft::runtime game{{.workers = 0}};
    for (const bool over_session : {false, true}) {
      CAPTURE(over_session);
      const auto client = over_session ? test::v1::Echo::client{session.ordered(1)} : test::v1::Echo::client{peer};
      int good = 0;
      for (int i = 0; i < 10; ++i) weft::spawn(game.control(), "game", &call_often, client, 10, &good);
      while (good < 100) game.pump({.budget = 2ms, .max_events = 10});
      CHECK(good == 100);
    }
    game.stop();
    server.stop();
    service.stop_and_wait();
  }

  TEST_CASE("calls over a session come back in order through pumps of ten events") {
    test::two_sides remote;
    weft::rpc_runtime rt{pumped()};
    weft::peer to{rt, remote.server.address()};
    weft::session session{to};
    std::vector<int> order;
    constexpr int all = 500;
    const auto one = [](test::v1::Echo::client echo, int i, std::vector<int>* order) -> weft::task<> {
      auto reply = co_await echo.Say(say(std::to_string(i)));
      if (reply.ok() && reply->text() == std::to_string(i)) order->push_back(i);
    };
    for (int i = 0; i < all; ++i) {
      REQUIRE(weft::spawn(rt.control(), "caller", one, test::v1::Echo::client{session.ordered(1)}, i, &order));
    }
    while (order.size() < all) rt.pump({.budget = 2ms, .max_events = 10});
    CHECK(std::ranges::is_sorted(order));
  }
}
