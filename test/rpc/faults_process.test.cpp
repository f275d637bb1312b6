// Processes that are killed, or stopped for a while, in the middle of calls.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <weft/runtime/scope.hpp>

#include "../support/faults.hpp"
#include "../support/program.hpp"

using namespace std::chrono_literals;
using test::program;
using test::v1::Echo;
using test::v1::EchoRequest;
using weft::code;

namespace {

program serve() { return program{{ECHO_PROGRAM, "serve", "127.0.0.1:0", "0"}}; }

constexpr auto for_ever = 3'600'000'000;  // us

// How calls ended that were all in progress when something happened to the server. On the client's strand, but for `held`.
struct ends {
  test::call_count calls;
  std::array<int, 17> by_code{};
  std::atomic<int> held{0};  // streams of which the server has answered something
  void note(code c) {
    ++by_code.at(static_cast<std::size_t>(c));
    ++calls.completed;
  }
  int of(code c) const { return by_code.at(static_cast<std::size_t>(c)); }
};

weft::task<> say(Echo::client echo, ends* e, weft::duration limit, std::int64_t delay_us = for_ever) {
  ++e->calls.begun;
  EchoRequest request;
  request.set_delay_us(delay_us);
  const auto reply = co_await echo.Say(std::move(request), weft::within{limit});
  e->note(reply.code());
}
// One reply, and then nothing for an hour.
weft::task<> talk(Echo::client echo, ends* e, weft::duration limit) {
  ++e->calls.begun;
  auto talk = echo.Talk(weft::within{limit});
  EchoRequest request;
  const auto sent = co_await talk.write(std::move(request));
  const auto heard = co_await talk.read();
  CHECK((sent.ok() && heard.has_value()));
  ++e->held;
  const auto no_more = co_await talk.read();
  CHECK_FALSE(no_more.has_value());
  const auto end = co_await talk.finish();
  e->note(end.code());
}
weft::task<> listen(Echo::client echo, ends* e, weft::duration limit) {
  ++e->calls.begun;
  test::v1::RepeatRequest request;
  request.set_text("x");
  request.set_times(1'000'000);
  request.set_delay_us(1'000);
  auto feed = echo.Repeat(std::move(request), weft::within{limit});
  const auto first = co_await feed.read();
  CHECK(first.has_value());
  ++e->held;
  for (auto next = co_await feed.read(); next; next = co_await feed.read()) {
  }
  const auto end = co_await feed.finish();
  e->note(end.code());
}
// Writes until it is told that there is nobody; the handler is busy with the first message.
weft::task<> upload(Echo::client echo, ends* e, weft::duration limit) {
  ++e->calls.begun;
  auto up = echo.Join(weft::within{limit});
  for (;;) {
    EchoRequest request;
    request.set_text(std::string(10'000, 'x'));
    request.set_delay_us(for_ever);
    const auto sent = co_await up.write(std::move(request));
    if (!sent.ok()) break;
  }
  const auto end = co_await up.finish();
  e->note(end.code());
}

constexpr int of_each = 10;

weft::task<> of_all_kinds(Echo::client echo, ends* e, weft::duration limit, weft::scope& s) {
  for (int i = 0; i < of_each; ++i) {
    std::ignore = s.start(say(echo, e, limit));
    std::ignore = s.start(upload(echo, e, limit));
    std::ignore = s.start(talk(echo, e, limit));
    std::ignore = s.start(listen(echo, e, limit));
  }
  co_return;
}

// The client, whose calls run on a thread of their own while the test does something to the server.
struct caller {
  explicit caller(const std::string& address) : peer{near, address, quick()} {}
  static weft::peer_options quick() {
    weft::peer_options o;
    o.arguments = {{"grpc.initial_reconnect_backoff_ms", 100}, {"grpc.max_reconnect_backoff_ms", 100}};
    return o;
  }
  void begin(weft::duration limit) {
    e.held = 0;
    calls = std::thread{
        [this, limit] { weft::sync_wait(near, weft::with_scope(&of_all_kinds, Echo::client{peer}, &e, limit)); }};
    const auto patience = std::chrono::steady_clock::now() + 20s;
    while (e.held != 2 * of_each && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  }
  void end() {
    calls.join();
    CHECK(e.held == 2 * of_each);
    CHECK(e.calls.begun == e.calls.completed);
  }
  code say_once(weft::duration limit) {
    ends one;
    weft::sync_wait(near, say({peer}, &one, limit, 0));
    return one.of(code::ok) == 1 ? code::ok : code::unavailable;
  }

  ends e;
  weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
  weft::peer peer;
  std::thread calls;
};

}  // namespace

TEST_SUITE("faults: a process that dies") {
  TEST_CASE("calls of all kinds whose server is killed end with UNAVAILABLE, once, at once") {
    const test::no_descriptor_left descriptors;
    auto server = serve();
    {
      caller c{server.line()};
      c.begin(60s);
      const auto begun = std::chrono::steady_clock::now();
      server.signal(SIGKILL);
      c.end();
      CHECK(std::chrono::steady_clock::now() - begun < 10s);
      CHECK(c.e.of(code::unavailable) == 4 * of_each);
      CHECK(server.wait().code == -SIGKILL);
      c.near.stop();
      test::serving::check_tags(c.near);
    }
  }

  TEST_CASE("calls to a server that is stopped end with DEADLINE_EXCEEDED, and work again once it goes on") {
    const test::no_descriptor_left descriptors;
    auto server = serve();
    {
      caller c{server.line()};
      CHECK(c.say_once(20s) == code::ok);
      c.begin(2s);
      server.signal(SIGSTOP);
      c.end();
      CHECK(c.e.of(code::deadline_exceeded) == 4 * of_each);
      CHECK(c.say_once(100ms) != code::ok);
      server.signal(SIGCONT);
      CHECK(c.say_once(20s) == code::ok);
      c.begin(500ms);
      c.end();
      CHECK(c.e.of(code::deadline_exceeded) == 8 * of_each);
      c.near.stop();
      test::serving::check_tags(c.near);
    }
    server.signal(SIGTERM);
    CHECK(server.wait().code == 0);
  }

  TEST_CASE("a handler whose client is killed in the middle of its stream is stopped, and sees no end of requests") {
    const test::no_descriptor_left descriptors;
    test::serving far;
    {
      program client{{ECHO_PROGRAM, "upload", far.server.address()}};
      REQUIRE(client.line() == "uploading");
      const auto patience = std::chrono::steady_clock::now() + 20s;
      while (far.handlers() != 2 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
      REQUIRE(far.handlers() == 2);
      client.signal(SIGKILL);
      CHECK(client.wait().code == -SIGKILL);
      far.wait_until_idle();
      CHECK(far.inside([&] { return far.service.stopped; }) == 1);
      CHECK(far.inside([&] { return far.service.joined; }) == 0);
    }
    far.end();
    CHECK(far.server.counters().cancelled == 1);
  }
}
