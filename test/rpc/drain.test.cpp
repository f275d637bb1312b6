#include <weft/rpc/drain.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <stop_token>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <weft/rpc/health.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/signals.hpp>

#include "../support/faults.hpp"
#include "../support/program.hpp"
#include "grpc/health/v1/health.weft.hpp"

using namespace std::chrono_literals;
using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using test::v1::Echo;
using test::v1::EchoRequest;
using weft::code;

namespace {

// What a client sees of a server in a process of its own. On the client's strand, but for `over`.
struct observation {
  test::call_count calls;
  int ok = 0, told_no = 0, unexpected = 0;
  int told_no_before_watcher = 0;
  bool watcher_told = false;
  std::atomic<code> watch_end{code::ok};
  std::atomic<int> answered{0};
  std::atomic<int> held{0};
  std::atomic<bool> watching{false};
  std::atomic<bool> over{false};

  // What one read of the socket brings may come to its calls in any order; a call that was begun after another was told no
  // is not among that.
  void note(code c, bool begun_after_no = false) {
    ++calls.completed;
    if (c == code::ok) {
      ++ok;
      ++answered;
    } else if (c == code::unavailable || c == code::cancelled) {
      ++told_no;
      if (begun_after_no && !watcher_told) ++told_no_before_watcher;
    } else {
      ++unexpected;
    }
  }
};

weft::task<> keep_saying(Echo::client echo, observation* o, std::chrono::microseconds delay) {
  while (!o->over) {
    ++o->calls.begun;
    const bool after_no = o->told_no != 0;
    EchoRequest request;
    request.set_delay_us(delay.count());
    const auto reply = co_await echo.Say(std::move(request), weft::within{30s});
    o->note(reply.code(), after_no);
    if (!reply.ok()) std::ignore = co_await weft::sleep_for(1ms);
  }
}
weft::task<> keep_talking(Echo::client echo, observation* o) {
  while (!o->over) {
    ++o->calls.begun;
    const bool after_no = o->told_no != 0;
    auto talk = echo.Talk(weft::within{30s});
    for (int i = 0; i < 5; ++i) {
      EchoRequest request;
      request.set_delay_us(2'000);
      const auto sent = co_await talk.write(std::move(request));
      if (!sent.ok()) break;
      const auto reply = co_await talk.read();
      if (!reply) break;
    }
    const auto end = co_await talk.finish();
    o->note(end.code(), after_no);
    if (!end.ok()) std::ignore = co_await weft::sleep_for(1ms);
  }
}
// Calls that do not end by themselves.
weft::task<> say_for_ever(Echo::client echo, observation* o) {
  ++o->calls.begun;
  EchoRequest request;
  request.set_delay_us(3'600'000'000);
  const auto reply = co_await echo.Say(std::move(request), weft::within{60s});
  o->note(reply.code());
}
weft::task<> talk_for_ever(Echo::client echo, observation* o) {
  ++o->calls.begun;
  auto talk = echo.Talk(weft::within{60s});
  EchoRequest request;
  const auto sent = co_await talk.write(std::move(request));
  const auto reply = co_await talk.read();
  CHECK((sent.ok() && reply.has_value()));
  ++o->held;
  const auto never = co_await talk.read();
  CHECK_FALSE(never.has_value());
  const auto end = co_await talk.finish();
  o->note(end.code());
}
weft::task<> watch(Health::client health, observation* o) {
  auto told = health.Watch(HealthCheckRequest{}, weft::within{weft::duration::max()});
  const auto first = co_await told.read();
  CHECK((first && first->status() == HealthCheckResponse::SERVING));
  o->watching = true;
  const auto second = co_await told.read();
  CHECK((second && second->status() == HealthCheckResponse::NOT_SERVING));
  o->watcher_told = true;
  const auto end = co_await told.finish();
  o->watch_end = end.code();
}

enum class load { short_calls, endless_calls };

weft::task<> all(weft::peer* p, observation* o, load which, weft::scope& s) {
  const Echo::client echo{*p};
  std::ignore = s.start(watch(Health::client{*p}, o));
  if (which == load::endless_calls) {
    std::ignore = s.start(say_for_ever(echo, o));
    std::ignore = s.start(talk_for_ever(echo, o));
    co_return;
  }
  for (int i = 0; i < 24; ++i) std::ignore = s.start(keep_saying(echo, o, std::chrono::microseconds{i * 1'000}));
  for (int i = 0; i < 8; ++i) std::ignore = s.start(keep_talking(echo, o));
}

// A server in a process of its own, under load from this one.
struct stage {
  stage(load which, std::chrono::milliseconds grace)
      : server{{ECHO_PROGRAM, "serve", "127.0.0.1:0", std::to_string(grace.count())}},
        peer{near, server.line()},
        client{[this, which] { weft::sync_wait(near, weft::with_scope(&all, &peer, &o, which)); }} {
    wait_for([this] { return o.watching.load(); });
  }
  ~stage() {
    o.over = true;
    if (!client.joinable()) return;
    server.signal(SIGKILL);  // a check has failed, and some calls have no limit of their own
    client.join();
  }
  template <class F>
  static void wait_for(F f) {
    const auto patience = std::chrono::steady_clock::now() + 30s;
    while (!f() && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
    REQUIRE(f());
  }
  // Every call has ended, one way or the other, and the server in order.
  void check_end() {
    const auto end = server.wait();
    CHECK_MESSAGE(end.code == 0, end.errors);
    CHECK(end.out == "drained\n");
    o.over = true;
    client.join();
    CHECK(o.calls.begun == o.calls.completed);
    CHECK(o.unexpected == 0);
    CHECK(o.watcher_told);
    CHECK(o.watch_end == code::unavailable);
    CHECK(o.told_no_before_watcher == 0);
    near.stop();
    test::serving::check_tags(near);
  }

  observation o;
  test::program server;
  weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
  weft::peer peer;
  std::thread client;
};

weft::reply<test::v1::EchoReply> say_slowly(Echo::client echo, std::chrono::microseconds delay) {
  EchoRequest request;
  request.set_delay_us(delay.count());
  co_return co_await echo.Say(std::move(request), weft::within{60s});
}

}  // namespace

TEST_SUITE("drain") {
  TEST_CASE("SIGTERM under load: who watches is told first, every call ends, and the process within its grace") {
    constexpr auto grace = 5s;
    stage s{load::short_calls, grace};
    stage::wait_for([&] { return s.o.answered > 200; });
    const auto begun = std::chrono::steady_clock::now();
    s.server.signal(SIGTERM);
    s.check_end();
    CHECK(std::chrono::steady_clock::now() - begun < grace + 10s);
    CHECK(s.o.told_no > 0);
    CHECK(s.o.ok > 200);
  }

  TEST_CASE("what still runs when the grace is over is cancelled") {
    stage s{load::endless_calls, 300ms};
    stage::wait_for([&] { return s.o.held == 1; });
    const auto begun = std::chrono::steady_clock::now();
    s.server.signal(SIGTERM);
    s.check_end();
    CHECK(std::chrono::steady_clock::now() - begun >= 300ms);
    CHECK(s.o.told_no == 2);
  }

  TEST_CASE("a second SIGTERM ends what runs at once") {
    stage s{load::endless_calls, 1h};
    stage::wait_for([&] { return s.o.held == 1; });
    s.server.signal(SIGTERM);
    stage::wait_for([&] { return s.o.watch_end.load() == code::unavailable; });  // the first has arrived
    s.server.signal(SIGTERM);
    s.check_end();
    CHECK(s.o.told_no == 2);
  }

  TEST_CASE("a stop that is asked of the token ends a server's grace, and one that was asked before leaves none") {
    for (const bool before : {false, true}) {
      CAPTURE(before);
      test::serving far;
      weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
      weft::peer peer{near, far.server.address()};
      std::stop_source at_once;
      if (before) at_once.request_stop();
      std::thread client{[&] {
        const auto reply = weft::sync_wait(near, say_slowly(Echo::client{peer}, 1h));
        CHECK((reply.code() == code::unavailable || reply.code() == code::cancelled));
      }};
      stage::wait_for([&] { return far.handlers() == 2; });
      std::jthread hurry{[&] {
        std::this_thread::yield();
        at_once.request_stop();
      }};
      far.server.stop(1h, at_once.get_token());
      client.join();
      near.stop();
      far.wait_until_idle();
      CHECK(far.inside([&] { return far.service.stopped; }) == 1);
      far.end();
    }
  }
}
