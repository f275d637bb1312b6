#include <weft/rpc/health.hpp>

#include <doctest/doctest.h>
#include <grpcpp/create_channel.h>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/directory.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "grpc/health/v1/health.weft.hpp"

using namespace std::chrono_literals;
using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using state = HealthCheckResponse::ServingStatus;

namespace {

constexpr auto serving = HealthCheckResponse::SERVING;
constexpr auto not_serving = HealthCheckResponse::NOT_SERVING;
constexpr auto service_unknown = HealthCheckResponse::SERVICE_UNKNOWN;

HealthCheckRequest of(std::string service) {
  HealthCheckRequest r;
  r.set_service(std::move(service));
  return r;
}

struct fixture {
  fixture() {
    server.add(health);
    REQUIRE(server.start().ok());
    peer = std::make_unique<weft::peer>(rt, server.address());
  }
  ~fixture() {
    server.stop();
    health.stop_and_wait(weft::stop_mode::abort);
  }
  template <class T>
  T run(weft::task<T> t) {
    return weft::sync_wait(rt, std::move(t));
  }
  weft::result<state> check(std::string service) {
    const auto reply = run(weft::as_task(Health::client{*peer}.Check(of(std::move(service)))));
    if (!reply.ok()) return reply.status();
    return reply->status();
  }

  weft::directory rpc;
  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  weft::health health{rt};
  weft::server server{rt};
  std::unique_ptr<weft::peer> peer;
};

using watching = weft::client_reader<HealthCheckRequest, HealthCheckResponse>;
watching watch(fixture& f, std::string service) {
  return Health::client{*f.peer}.Watch(of(std::move(service)), weft::within{weft::duration::max()});
}

weft::task<state> next(watching* w) {
  const auto told = co_await w->read();
  REQUIRE(told.has_value());
  co_return told->status();
}

}  // namespace

TEST_SUITE("health") {
  TEST_CASE("the process serves from the start") {
    fixture f;
    CHECK(f.check("").value() == serving);
  }

  TEST_CASE("a service that was never set is NOT_FOUND") {
    fixture f;
    CHECK(f.check("lobby.v1.Cards").status() == weft::not_found("no service 'lobby.v1.Cards'"));
  }

  TEST_CASE("a service is what it was set to last, from any thread") {
    fixture f;
    f.health.set("lobby.v1.Cards", true);
    CHECK(f.check("lobby.v1.Cards").value() == serving);
    f.health.set("lobby.v1.Cards", true);
    f.health.set("lobby.v1.Cards", false);
    CHECK(f.check("lobby.v1.Cards").value() == not_serving);
    f.health.set("", false);
    CHECK(f.check("").value() == not_serving);
  }

  TEST_CASE("a watcher is told at once, and then of each change of its service") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      auto cards = watch(*f, "lobby.v1.Cards");
      CHECK(co_await next(&cards) == service_unknown);
      f->health.set("lobby.v1.Cards", true);
      CHECK(co_await next(&cards) == serving);
      f->health.set("lobby.v1.Chat", false);
      f->health.set("lobby.v1.Cards", true);
      f->health.set("lobby.v1.Cards", false);
      CHECK(co_await next(&cards) == not_serving);
    }(&f));
  }

  TEST_CASE("a watcher that is slow is told the latest state, not all between") {
    fixture f;
    f.rpc.add("grpc.health.v1.Health", f.health);
    constexpr int changes = 101;
    const auto told = f.run([](fixture* f) -> weft::task<int> {
      auto opened = f->rpc.stream("grpc.health.v1.Health.Watch", weft::within{weft::duration::max()});
      auto& watched = opened.value();
      weft::raw_message request{of("lobby.v1.Cards").SerializeAsString()};
      const auto asked = co_await watched.write(std::move(request));
      CHECK(asked.ok());
      std::ignore = co_await watched.read();
      for (int i = 0; i < changes; ++i) {
        f->health.set("lobby.v1.Cards", i % 2 == 0);
        const auto nothing = [] {};
        std::ignore = co_await f->health.call(nothing);
      }
      f->health.set_all_not_serving();
      int told = 0;
      HealthCheckResponse last;
      while (auto message = co_await watched.read()) {
        CHECK(last.ParseFromString(message->bytes));
        ++told;
      }
      CHECK(last.status() == not_serving);
      co_return told;
    }(&f));
    CHECK(told >= 2);
    CHECK(told < changes / 2);
  }

  TEST_CASE("a watcher that goes is forgotten") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      {
        auto cards = watch(*f, "lobby.v1.Cards");
        std::ignore = co_await cards.read();
      }
      const auto running = [f] { return f->health.running(); };
      for (;;) {
        const auto handlers = co_await f->health.call(running);
        if (*handlers <= 1) break;
        std::ignore = co_await weft::sleep_for(1ms);
      }
      f->health.set("lobby.v1.Cards", true);
    }(&f));
    CHECK(f.check("lobby.v1.Cards").value() == serving);
  }

  TEST_CASE("when all is drained nothing serves, whatever is set later") {
    fixture f;
    f.health.set("lobby.v1.Cards", true);
    f.health.set_all_not_serving();
    f.health.set("lobby.v1.Cards", true);
    f.health.set("", true);
    CHECK(f.check("lobby.v1.Cards").value() == not_serving);
    CHECK(f.check("").value() == not_serving);
    CHECK(f.check("lobby.v1.Chat").code() == weft::code::not_found);
  }

  TEST_CASE("watchers are told of a drain, and the server's stop does not wait for them") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      auto process = watch(*f, "");
      CHECK(co_await next(&process) == serving);
      f->health.set_all_not_serving();
      CHECK(co_await next(&process) == not_serving);
      const auto end = co_await process.finish();
      CHECK(end == weft::unavailable("the process is about to end"));
      auto late = watch(*f, "");
      CHECK(co_await next(&late) == not_serving);
      const auto late_end = co_await late.finish();
      CHECK(late_end.code() == weft::code::unavailable);
    }(&f));
    f.server.stop(1h);
  }

  TEST_CASE("on the wire it is the standard protocol") {
    fixture f;
    f.rpc.add("grpc.health.v1.Health", *f.peer);
    f.health.set("a", false);
    CHECK(f.run(weft::as_task(f.rpc.call_bytes("grpc.health.v1.Health/Check", ""))).value() == "\x08\x01");
    CHECK(f.run(weft::as_task(f.rpc.call_bytes("grpc.health.v1.Health/Check", "\x0a\x01"
                                                                              "a")))
              .value() == "\x08\x02");
  }

  // gRPC's client watches by itself when its service config says so.
  TEST_CASE("gRPC's own client finds out whether it may use a connection") {
    fixture f;
    f.health.set("lobby.v1.Cards", false);
    grpc::ChannelArguments arguments;
    arguments.SetLoadBalancingPolicyName("round_robin");
    arguments.SetServiceConfigJSON(R"({"healthCheckConfig": {"serviceName": "lobby.v1.Cards"}})");
    const auto channel = grpc::CreateCustomChannel(f.server.address(), grpc::InsecureChannelCredentials(), arguments);
    const auto soon = [](auto d) { return std::chrono::system_clock::now() + d; };
    CHECK_FALSE(channel->WaitForConnected(soon(200ms)));
    f.health.set("lobby.v1.Cards", true);
    REQUIRE(channel->WaitForConnected(soon(20s)));
    f.health.set("lobby.v1.Cards", false);
    CHECK(channel->WaitForStateChange(GRPC_CHANNEL_READY, soon(20s)));
  }
}
