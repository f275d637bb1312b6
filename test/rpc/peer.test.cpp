#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::v1::Echo;
using test::v1::EchoRequest;

namespace {

// Connections to `port` of this machine, as the kernel lists them, one line for each end.
int connections_to(int port) {
  constexpr unsigned established = 1;
  int found = 0;
  for (const char* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream in{table};
    for (std::string line; std::getline(in, line);) {
      unsigned remote_port = 0;
      unsigned state = 0;
      if (std::sscanf(line.c_str(), " %*d: %*[0-9A-F]:%*x %*[0-9A-F]:%x %x", &remote_port, &state) == 2 &&
          remote_port == static_cast<unsigned>(port) && state == established) {
        ++found;
      }
    }
  }
  return found;
}

weft::task<int> calls_that_succeed(Echo::client client, int calls) {
  int succeeded = 0;
  for (int i = 0; i < calls; ++i) {
    const auto reply = co_await client.Say(EchoRequest{});
    succeeded += reply.ok() ? 1 : 0;
  }
  co_return succeeded;
}

}  // namespace

TEST_SUITE("peer") {
  TEST_CASE("calls use a peer's connections in turn, one unless it is told otherwise") {
    for (const int connections : {1, 3}) {
      CAPTURE(connections);
      weft::rpc_runtime rt;
      test::echo_service service{rt};
      weft::server server{rt};
      server.add(service);
      REQUIRE(server.start().ok());
      {
        weft::peer peer{rt, server.address(), {.connections = connections}};
        CHECK(weft::sync_wait(rt, calls_that_succeed({peer}, 6)) == 6);
        CHECK(connections_to(server.port()) == connections);
      }
      server.stop();
      service.stop_and_wait();
    }
  }

  TEST_CASE("a method that is made where another one was is called by its own name") {
    test::two_sides f;
    EchoRequest request;
    request.set_text("hi");
    std::optional<weft::method_info> made{weft::method_info{Echo::Say_info.path}};
    const auto call = [&] {
      return weft::sync_wait(
          f.client,
          weft::as_task(weft::call<test::v1::EchoReply>{
              weft::held_call<test::v1::EchoReply>{new weft::unary_call<test::v1::EchoReply>{*f.peer, *made, request}},
              {}}));
    };
    CHECK(call().ok());
    made.emplace(weft::method_info{Echo::Missing_info.path});
    CHECK(call().code() == weft::code::unimplemented);
  }

  TEST_CASE("a peer that cannot be called says why, and so do its calls") {
    struct {
      std::string address;
      weft::peer_options options;
      std::string why;
    } const wrong[] = {
        {"localhost", {}, "that is no address: \"host:port\", or \"unix:path\""},
        {"127.0.0.1:70000", {}, "that is no address: \"host:port\", or \"unix:path\""},
        {"192.0.2.1:50051", {}, "plain text is for loopback and Unix sockets only: use TLS, or allow it"},
        {"127.0.0.1:50051", {.connections = 0}, "it needs a connection, not 0"},
        {"127.0.0.1:50051", {.first_backoff = std::chrono::seconds{3}}, "its backoff begins above 0 and ends no lower"},
        {"127.0.0.1:50051",
         {.tls = weft::client_tls{.authorities = "/nowhere/ca.pem"}},
         "tls: cannot read authorities '/nowhere/ca.pem': No such file or directory"},
        {"127.0.0.1:50051",
         {.metadata = weft::metadata{}.add("two words", "x")},
         "metadata key 'two words': letters, digits, '_', '-' and '.' only"},
    };
    for (const auto& [address, options, why] : wrong) {
      weft::rpc_runtime rt;
      weft::peer to{rt, address, options};
      const auto expected = weft::invalid_argument(std::string{"peer '"}.append(address).append("': ").append(why));
      CHECK(to.problem() == expected);
      CHECK(to.connectivity() == weft::connectivity::failing);
      CHECK(weft::sync_wait(rt, to.connect()) == expected);
      const auto end = weft::sync_wait(rt, [](Echo::client echo) -> weft::task<weft::status> {
        const auto said = co_await echo.Say(EchoRequest{});
        auto talk = echo.Talk();
        const auto talked = co_await talk.finish();
        CHECK(said.status() == talked);
        co_return talked;
      }(Echo::client{to}));
      CHECK(end == expected);
    }
  }

  TEST_CASE("a peer that is asked to connect does so without a call, and says how it stands") {
    test::two_sides f{{}, {.connections = 3}};
    CHECK(f.peer->connectivity() == weft::connectivity::idle);
    CHECK(connections_to(f.server.port()) == 0);
    CHECK(weft::sync_wait(f.client, f.peer->connect()).ok());
    CHECK(f.peer->connectivity() == weft::connectivity::ready);
    CHECK(connections_to(f.server.port()) == 3);
  }

  TEST_CASE("connecting goes on until the server is there, unless it is stopped") {
    weft::rpc_runtime there;
    std::string address;
    {
      weft::server finds_port{there};
      REQUIRE(finds_port.start().ok());
      address = finds_port.address();
      finds_port.stop();
    }
    weft::rpc_runtime here;
    weft::peer peer{here, address, {.first_backoff = 10ms, .most_backoff = 20ms}};
    const auto in_vain = weft::sync_wait(here, weft::with_timeout(200ms, peer.connect()));
    CHECK(in_vain.code() == weft::code::deadline_exceeded);
    CHECK(peer.connectivity() != weft::connectivity::ready);

    weft::rpc_runtime again;
    test::echo_service service{again};
    weft::server server{again, {.addresses = {address}}};
    server.add(service);
    REQUIRE(server.start().ok());
    CHECK(weft::sync_wait(here, peer.connect()).ok());
    CHECK(peer.connectivity() == weft::connectivity::ready);
    server.stop();
    service.stop_and_wait();
  }

  TEST_CASE("a runtime that ends while a peer connects is not held up") {
    weft::rpc_runtime rt;
    weft::peer peer{rt, "127.0.0.1:1"};
    auto ended = std::make_shared<std::optional<weft::status>>();
    weft::spawn(
        rt.control(), "connects", [](weft::peer* p, auto end) -> weft::task<> { *end = co_await p->connect(); }, &peer,
        ended);
    rt.stop();
    REQUIRE(ended->has_value());
    CHECK_FALSE((*ended)->ok());
  }

  TEST_CASE("addresses whose traffic would leave the machine in plain text are told from local ones") {
    for (const char* local : {"127.0.0.1:80", "localhost:80", "[::1]:80", "unix:/run/a.sock", "unix-abstract:a",
                              "ipv4:127.0.0.1:80,127.0.0.2:81", "ipv6:[::1]:80,[::1]:81", "unix:/run/a,10.0.0.1:80"}) {
      CAPTURE(local);
      CHECK(weft::is_local_address(local));
    }
    for (const char* remote : {"10.0.0.1:80", "example.org:80", "0.0.0.0:80", "[::]:80", "dns:///localhost:80", "",
                               "ipv4:127.0.0.1:80,10.0.0.1:80", "ipv6:[::1]:80,[2001:db8::1]:80"}) {
      CAPTURE(remote);
      CHECK_FALSE(weft::is_local_address(remote));
    }
  }
}
