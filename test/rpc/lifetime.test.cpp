// Engines make and destroy runtimes whenever the editor restarts the game; here in C++, pumped. test/c has the same in C.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <weft/rpc/session.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/fiber.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>

#include "../support/descriptors.hpp"
#include "../support/program.hpp"
#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::v1::EchoRequest;

namespace {

constexpr int cycles = WEFT_TSAN ? 200 : 1'000;

EchoRequest say(std::string text, std::chrono::microseconds delay = {}) {
  EchoRequest r;
  r.set_text(std::move(text));
  r.set_delay_us(delay.count());
  return r;
}

weft::task<> call_over_and_over(test::v1::Echo::client echo, std::chrono::microseconds delay, int* answered) {
  auto& ctx = co_await weft::current();
  while (!ctx.stopped()) {
    auto reply = co_await echo.Say(say("again", delay));
    if (reply.ok()) {
      ++*answered;
    } else {
      co_await weft::yield{};
    }
  }
}

void call_in_a_fiber(const test::v1::Echo::client& echo) {
  while (!weft::await(weft::current()).stopped()) {
    const auto reply = weft::await(echo.Say(say("again")));
    if (!reply.ok()) weft::await(weft::yield{});
  }
}

/// Threads of that name; by default all that are neither gRPC's nor a sanitizer's, which call themselves otherwise. A thread
/// has its name once it runs.
int weft_threads(std::string_view prefix = "weft-") {
  int n = 0;
  for (const auto& each : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream comm{each.path() / "comm"};
    std::string name;
    if (std::getline(comm, name) && name.starts_with(prefix)) ++n;
  }
  return n;
}
/// What a program has open that this one starts; of pipes not those to a symbolizer, as in `open_descriptors`.
std::string descriptors_of_a_child() {
  test::program child{
      {"/bin/sh", "-c", WEFT_TSAN ? "ls -l /proc/self/fd | grep -cv pipe:" : "ls /proc/self/fd | wc -l"}};
  return child.line();
}

weft::rpc_options pumped(bool fd) {
  weft::rpc_options o;
  o.runtime.workers = 0;
  o.runtime.wake.fd = fd;
  o.runtime.log = [](std::string_view) {};
  return o;
}

/// One life of a game: calls of all kinds in flight, some frames, none of them whole, and its end.
enum class end { while_it_connects, when_connected };
void play(int i, const std::string& remote, end when) {
  int answered = 0;
  weft::rpc_runtime rt{pumped(i / 4 % 2 == 0)};
  std::unique_ptr<test::echo_service> service;
  std::unique_ptr<weft::server> server;
  if (i % 4 == 3) {  // it serves too, and calls itself
    service = std::make_unique<test::echo_service>(rt);
    server = std::make_unique<weft::server>(rt);
    server->add(*service);
    REQUIRE(server->start().ok());
  }
  weft::peer to{rt, server ? server->address() : remote};
  {
    const weft::session session{to};
    for (const auto delay : {0us, 100us, 3'600'000'000us}) {
      REQUIRE(weft::spawn(rt.control(), "unary", &call_over_and_over, test::v1::Echo::client{to}, delay, &answered));
      REQUIRE(weft::spawn(rt.control(), "session", &call_over_and_over, test::v1::Echo::client{session.ordered(1)},
                          delay, &answered));
    }
    const auto in_fiber = [](test::v1::Echo::client echo) { return weft::fiber(&call_in_a_fiber, std::move(echo)); };
    REQUIRE(weft::spawn(rt.control(), "fiber", in_fiber, test::v1::Echo::client{session.ordered(2)}));
    while (when == end::when_connected && answered == 0) rt.pump();
    for (int frame = 0; frame < i % 16; ++frame) rt.pump({.budget = 200us, .max_events = 3});
    if (server) server->stop();
    if (service) service->stop_and_wait(weft::stop_mode::abort);
    rt.stop();
  }
}

}  // namespace

TEST_SUITE("lifetime") {
  TEST_CASE("a thousand pumped runtimes end in mid-frame with calls in flight, and leave no thread and no descriptor") {
    const auto of_a_child = descriptors_of_a_child();
    test::two_sides remote;
    const auto address = remote.server.address();
    for (int i = 0; i < 16; ++i) play(i, address, end::when_connected);  // what is kept from the first use on
    const auto threads = weft_threads();
    const auto before = test::open_descriptors().size();
    for (int i = 0; i < cycles; ++i) {
      play(i, address, i / 16 % 4 == 0 ? end::while_it_connects : end::when_connected);
      if (i % 100 == 50) CHECK(descriptors_of_a_child() == of_a_child);
    }
    CHECK(weft_threads() <= threads);
    CHECK(weft_threads("weft-waiter") == 0);
    const auto late = std::chrono::steady_clock::now() + 10s;  // gRPC closes some in the background
    while (test::open_descriptors().size() > before && std::chrono::steady_clock::now() < late)
      std::this_thread::yield();
    CHECK(test::open_descriptors().size() <= before);
  }

  TEST_CASE("while a runtime with calls in flight is pumped, a child inherits nothing of it") {
    const auto of_a_child = descriptors_of_a_child();
    test::two_sides remote;
    int answered = 0;
    weft::rpc_runtime rt{pumped(true)};
    weft::peer to{rt, remote.server.address()};
    REQUIRE(weft::spawn(rt.control(), "unary", &call_over_and_over, test::v1::Echo::client{to}, 0us, &answered));
    while (answered < 10) rt.pump({.max_events = 3});
    CHECK(descriptors_of_a_child() == of_a_child);
    CHECK(weft_threads("weft-waiter") == 1);  // and has one thread, which waits for gRPC
    rt.stop();                                // before the peer goes
  }
}
