// A server that comes and goes a thousand times under a client that stays.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <weft/runtime/config.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>

#include "../support/dice.hpp"
#include "../support/faults.hpp"

using namespace std::chrono_literals;
using test::v1::Echo;

namespace {

std::size_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

struct customers {
  test::call_count calls;
  std::atomic<std::uint64_t> answered{0};
  std::atomic<std::uint64_t> unexpected{0};
  std::atomic<bool> open{false};  // whether a server is there
  std::atomic<bool> over{false};

  void note(weft::code c) {
    if (c == weft::code::ok) ++answered;
    // Cut off, or refused by a service that has stopped.
    if (c != weft::code::ok && c != weft::code::unavailable && c != weft::code::cancelled) ++unexpected;
  }
};

weft::task<> keep_calling(Echo::client echo, customers* c, int number) {
  while (!c->over) {
    if (!c->open) {  // or gRPC would wait 100 ms before it connects again
      std::ignore = co_await weft::sleep_for(1ms);
      continue;
    }
    ++c->calls.begun;
    test::v1::EchoRequest request;
    request.set_text("x");
    request.set_delay_us(number * 200);
    if (number % 3 != 0) {
      const auto reply = co_await echo.Say(std::move(request), weft::within{30s});
      c->note(reply.code());
    } else {
      auto talk = echo.Talk(weft::within{30s});
      for (int i = 0; i < 3; ++i) {
        const auto sent = co_await talk.write(request);
        if (!sent.ok()) break;
        const auto reply = co_await talk.read();
        if (!reply) break;
      }
      const auto end = co_await talk.finish();
      c->note(end.code());
    }
    ++c->calls.completed;
  }
}

weft::task<> call_side_by_side(Echo::client echo, customers* c, weft::scope& s) {
  for (int i = 0; i < 12; ++i) std::ignore = s.start(keep_calling(echo, c, i));
  co_return;
}

weft::task<> a_moment() { std::ignore = co_await weft::sleep_for(1ms); }

}  // namespace

TEST_SUITE("faults: a server that restarts") {
  TEST_CASE("a server that is started and stopped 1,000 times under calls leaves nothing behind") {
    constexpr int cycles = 1'000, settled = 200;
    constexpr std::size_t most_growth = 16U << 20U;
    test::dice dice{20261123};
    const test::no_descriptor_left descriptors;
    customers c;
    auto far = std::make_unique<test::serving>();
    const auto address = far->server.address();
    {
      weft::rpc_runtime near{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
      weft::peer_options quick;
      quick.arguments = {{"grpc.initial_reconnect_backoff_ms", 100}, {"grpc.max_reconnect_backoff_ms", 100}};
      weft::peer peer{near, address, quick};
      weft::spawn(
          near.control(), "callers",
          [](Echo::client echo, customers* c) -> weft::task<> {
            co_await weft::with_scope(&call_side_by_side, echo, c);
          },
          Echo::client{peer}, &c);
      std::size_t resident = 0;
      std::ptrdiff_t open_files = 0;
      for (int i = 0; i < cycles; ++i) {
        CAPTURE(i);
        if (!far) {
          weft::server_options same;
          same.addresses = {address};
          far = std::make_unique<test::serving>(static_cast<int>(dice.below(2)), same);
        }
        const auto enough = c.answered + 10 + dice.below(20);
        c.open = true;
        const auto patience = std::chrono::steady_clock::now() + 20s;
        while (c.answered < enough && std::chrono::steady_clock::now() < patience) {
          weft::sync_wait(near, a_moment());
        }
        REQUIRE(c.answered >= enough);
        c.open = false;
        switch (dice.below(3)) {
          case 0: far->end_at_once(); break;
          case 1: far->service.stop_and_wait(weft::stop_mode::abort); break;
          default: far->server.stop(1ms); break;
        }
        far.reset();
        if (i == settled) {
          resident = resident_bytes();
          open_files = test::open_descriptors().size();
        }
      }
      const auto grown = resident_bytes();
      MESSAGE("resident: " << (resident >> 10U) << " KiB after 200 cycles, " << (grown >> 10U) << " KiB after 1,000");
      if (!WEFT_ASAN && !WEFT_TSAN) CHECK(grown < resident + most_growth);
      CHECK(test::open_descriptors().size() <=
            open_files + 2);  // sockets of the last connection, which gRPC closes soon
      c.over = true;
      near.stop();
      test::serving::check_tags(near);
    }
    CHECK(c.calls.begun == c.calls.completed);
    CHECK(c.unexpected == 0);
  }
}
