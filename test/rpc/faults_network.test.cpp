// A network that resets connections, or swallows what is sent.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>

#include "../support/bad_network.hpp"
#include "../support/dice.hpp"
#include "../support/faults.hpp"

using namespace std::chrono_literals;
using test::bad_network;
using test::v1::Echo;
using weft::code;

namespace {

// Speaks just enough HTTP/2 to be sent as much as anybody likes, and reads none of it.
class deaf_server {
 public:
  deaf_server() : listens_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    auto name = test::loopback(0);
    socklen_t size = sizeof name;
    REQUIRE(::bind(listens_, reinterpret_cast<const sockaddr*>(&name), size) == 0);
    REQUIRE(::listen(listens_, 1) == 0);
    REQUIRE(::getsockname(listens_, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    address = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
    thread_ = std::thread{[this] { greet(); }};
  }
  ~deaf_server() {
    ::shutdown(listens_, SHUT_RDWR);  // when nobody came
    thread_.join();
    ::close(client_);
    ::close(listens_);
  }
  deaf_server(const deaf_server&) = delete;
  deaf_server& operator=(const deaf_server&) = delete;

  std::string address;

 private:
  void greet() {
    using namespace std::string_view_literals;
    // SETTINGS with an initial window of 2^31 - 1, and the same for the connection.
    constexpr auto greeting = "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff"
                              "\0\0\4\x8\0\0\0\0\0\x7f\xff\0\0"sv;
    client_ = ::accept4(listens_, nullptr, nullptr, SOCK_CLOEXEC);
    static_cast<void>(::send(client_, greeting.data(), greeting.size(), MSG_NOSIGNAL));
  }

  int listens_;
  int client_ = -1;
  std::thread thread_;
};

struct ends {
  test::call_count calls;
  std::atomic<int> ok{0}, unavailable{0}, late{0}, other{0};
  void note(code c) {
    ++(c == code::ok ? ok : c == code::unavailable ? unavailable : c == code::deadline_exceeded ? late : other);
    ++calls.completed;
  }
};

weft::task<> say(Echo::client echo, ends* e, weft::duration delay, weft::duration limit) {
  ++e->calls.begun;
  test::v1::EchoRequest request;
  request.set_delay_us(std::chrono::duration_cast<std::chrono::microseconds>(delay).count());
  const auto reply = co_await echo.Say(std::move(request), weft::within{limit});
  e->note(reply.code());
}
weft::task<> listen(Echo::client echo, ends* e, weft::duration delay, weft::duration limit) {
  ++e->calls.begun;
  test::v1::RepeatRequest request;
  request.set_text("x");
  request.set_times(5);
  request.set_delay_us(std::chrono::duration_cast<std::chrono::microseconds>(delay).count());
  auto feed = echo.Repeat(std::move(request), weft::within{limit});
  e->note((co_await feed.finish()).code());
}
// Writes until that fails.
weft::task<> upload(Echo::client echo, ends* e, weft::duration limit) {
  ++e->calls.begun;
  auto up = echo.Join(weft::within{limit});
  for (;;) {
    test::v1::EchoRequest request;
    request.set_text(std::string(1U << 20U, 'x'));
    const auto sent = co_await up.write(std::move(request));
    if (!sent.ok()) break;
  }
  const auto end = co_await up.finish();
  e->note(end.code());
}
weft::task<> keep_calling(Echo::client echo, ends* e, const std::atomic<int>* cut) {
  while (*cut < 50) {
    co_await say(echo, e, 1ms, 5s);
    co_await listen(echo, e, 200us, 5s);
    std::ignore = co_await weft::sleep_for(1ms);
  }
}
// No wait between them: they fail as fast as they are made.
weft::task<> fail_for_ever(Echo::client nobody, ends* e, const bool* over) {
  while (!*over) co_await say(nobody, e, 0ms, 5s);
}
weft::task<> beside_failures(Echo::client nobody, Echo::client somebody, ends* failed, ends* answered, weft::scope& s) {
  bool over = false;
  auto failures = s.start(fail_for_ever(nobody, failed, &over));
  auto more_failures = s.start(fail_for_ever(nobody, failed, &over));
  for (int i = 0; i < 200; ++i) co_await say(somebody, answered, 0ms, 5s);
  over = true;
  co_await std::move(failures);
  co_await std::move(more_failures);
}
weft::task<> load(Echo::client echo, ends* e, const std::atomic<int>* cut, weft::scope& s) {
  for (int i = 0; i < 16; ++i) std::ignore = s.start(keep_calling(echo, e, cut));
  co_return;
}
weft::task<> both(Echo::client echo, ends* e, weft::scope& s) {
  std::ignore = s.start(say(echo, e, 1h, 60s));
  std::ignore = s.start(listen(echo, e, 1h, 60s));
  co_return;
}
weft::task<> hold(Echo::client echo, ends* e) { co_await weft::with_scope(&both, std::move(echo), e); }

weft::peer_options quick() {
  weft::peer_options o;
  o.keepalive = o.keepalive_timeout = 1s;
  o.arguments = {{"grpc.initial_reconnect_backoff_ms", 100}, {"grpc.max_reconnect_backoff_ms", 100}};
  return o;
}

}  // namespace

TEST_SUITE("faults: a bad network") {
  TEST_CASE(
      "calls over connections that are reset end with ok, UNAVAILABLE or their deadline, and later ones succeed") {
    const test::no_descriptor_left descriptors;
    ends e;
    test::serving far;
    {
      bad_network network{far.server.port()};
      weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
      weft::peer peer{near, network.address, quick()};
      network.resets = true;
      weft::sync_wait(near, weft::with_scope(&load, Echo::client{peer}, &e, &network.cut));
      network.resets = false;
      CHECK(e.other == 0);
      CHECK(e.unavailable > 0);
      MESSAGE(e.ok.load() << " ok, " << e.unavailable.load() << " unavailable, " << e.late.load() << " late");
      const auto patience = std::chrono::steady_clock::now() + 20s;
      for (const int before = e.ok; e.ok == before && std::chrono::steady_clock::now() < patience;) {
        weft::sync_wait(near, say(Echo::client{peer}, &e, 0ms, 5s));
      }
      const int before = e.ok;
      for (int i = 0; i < 20; ++i) weft::sync_wait(near, say(Echo::client{peer}, &e, 0ms, 5s));
      CHECK(e.ok == before + 20);
      far.wait_until_idle();
      near.stop();
      test::serving::check_tags(near);
    }
    CHECK(e.calls.begun == e.calls.completed);
    far.end();
  }

  TEST_CASE(
      "calls over a connection that has gone silent end with UNAVAILABLE by keepalive, long before their deadline") {
    const test::no_descriptor_left descriptors;
    ends e;
    test::serving far{0, {.keepalive_permitted = 500ms}};
    {
      bad_network network{far.server.port()};
      weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
      weft::peer peer{near, network.address, quick()};
      weft::sync_wait(near, say(Echo::client{peer}, &e, 0ms, 5s));
      CHECK(e.ok == 1);
      network.swallows = true;
      const auto start = std::chrono::steady_clock::now();
      weft::sync_wait(near, weft::with_scope(&both, Echo::client{peer}, &e));
      CHECK(std::chrono::steady_clock::now() - start < 20s);
      CHECK(e.unavailable == 2);
      near.stop();
      test::serving::check_tags(near);
    }
    CHECK(e.calls.begun == e.calls.completed);
    far.wait_until_idle();
    far.end();
  }

  TEST_CASE("handlers whose client has vanished without a word end by the server's keepalive") {
    const test::no_descriptor_left descriptors;
    ends e;
    test::serving far{0, {.keepalive = 1s, .keepalive_timeout = 1s}};
    weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
    {
      bad_network network{far.server.port()};
      weft::peer_options silent;
      silent.keepalive = weft::duration::zero();
      weft::peer peer{near, network.address, silent};
      REQUIRE(weft::spawn(near.control(), "held", &hold, Echo::client{peer}, &e));
      while (far.handlers() < 3) std::this_thread::yield();
      network.swallows = true;
      const auto start = std::chrono::steady_clock::now();
      far.wait_until_idle();
      CHECK(std::chrono::steady_clock::now() - start < 20s);  // their limit is 60 s
      near.stop();
    }
    CHECK(e.calls.begun == e.calls.completed);
    far.end();
  }

  TEST_CASE("a stream to a server that reads nothing ends at its deadline, whatever gRPC still has to write") {
    const test::no_descriptor_left descriptors;
    ends e;
    weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
    {
      const deaf_server far;
      weft::peer_options patient;
      patient.keepalive = weft::duration::zero();  // or it would end what the deadline has to
      weft::peer peer{near, far.address, patient};
      CHECK(weft::sync_wait(near, peer.connect()).ok());
      const auto start = std::chrono::steady_clock::now();
      weft::sync_wait(near, upload(Echo::client{peer}, &e, 500ms));
      CHECK(std::chrono::steady_clock::now() - start < 5s);
      CHECK(e.late == 1);
    }
    near.stop();
    test::serving::check_tags(near);
    CHECK(e.calls.begun == e.calls.completed);
  }

  TEST_CASE("calls that fail as fast as they are made keep no other call from its reply") {
    const test::no_descriptor_left descriptors;
    ends failed, answered;
    test::serving far;
    {
      weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
      weft::peer nobody{near, "127.0.0.1:1", quick()}, somebody{near, far.server.address()};
      weft::sync_wait(
          near, weft::with_scope(&beside_failures, Echo::client{nobody}, Echo::client{somebody}, &failed, &answered));
      CHECK(failed.ok == 0);
      CHECK(answered.ok == 200);
      near.stop();
      test::serving::check_tags(near);
    }
    far.end();
  }
}
