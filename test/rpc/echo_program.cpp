// A process of their own for the two sides of a call, for tests that stop and kill it:
//   echo_program serve ADDRESS GRACE_MS   serves Echo, health and reflection, writes its address; SIGTERM: drains, and says "drained"
//   echo_program upload ADDRESS           writes one message of Join, says "uploading", and stays
//   echo_program call ADDRESS             does what the lines of its input say, with a keepalive of 1 s:
//     hold   makes a unary and a streaming call that do not end, with a limit of 60 s; says "held" once the server has
//            them, and at the end what they ended with, and after how many ms: "UNAVAILABLE UNAVAILABLE 1234"
//     say    makes one short call: "OK 12"
//     wait   the same, once it has a connection
#include <sys/prctl.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <weft/rpc/drain.hpp>
#include <weft/rpc/health.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/reflection.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/echo_service.hpp"

using namespace std::chrono_literals;
using test::v1::Echo;
using test::v1::EchoRequest;

namespace {

int serve(const std::string& address, std::chrono::milliseconds grace) {
  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  weft::io io;
  weft::signals asked{io, {SIGINT, SIGTERM}};
  test::echo_service echo{rt};
  weft::health health{rt};
  weft::reflection reflection{rt};
  reflection.offers(echo);
  weft::server server{rt, {.addresses = {address}, .keepalive_permitted = 100ms}};
  server.add(echo);
  server.add(health);
  server.add(reflection);
  if (auto s = server.start(); !s.ok()) {
    std::cerr << s << "\n";
    return 1;
  }
  std::cout << server.address() << '\n' << std::flush;
  weft::sync_wait(rt, asked.next());
  weft::drain(server, health, asked, grace);
  echo.stop_and_wait(weft::stop_mode::abort);
  health.stop_and_wait();
  reflection.stop_and_wait();
  std::cout << "drained" << '\n' << std::flush;
  return 0;
}

weft::task<> upload(Echo::client echo) {
  auto up = echo.Join(weft::within{1h});
  EchoRequest request;
  request.set_text("x");
  const auto sent = co_await up.write(std::move(request));
  std::cout << (sent.ok() ? "uploading" : "failed") << '\n' << std::flush;
  const auto never = co_await weft::sleep_for(1h);
  static_cast<void>(never);
}

weft::task<weft::code> wait_for_reply(Echo::client echo) {
  EchoRequest request;
  request.set_delay_us(3'600'000'000);
  const auto reply = co_await echo.Say(std::move(request), weft::within{60s});
  co_return reply.code();
}

weft::task<std::string> hold(Echo::client echo, weft::scope& s) {
  const auto begun = std::chrono::steady_clock::now();
  auto unary = s.start(wait_for_reply(echo));
  auto talk = echo.Talk(weft::within{60s});
  EchoRequest request;
  const auto sent = co_await talk.write(std::move(request));
  const auto heard = co_await talk.read();
  std::cout << (sent.ok() && heard ? "held" : "not held") << '\n' << std::flush;
  const auto never = co_await talk.read();
  static_cast<void>(never);
  const auto talked = co_await talk.finish();
  const auto said = co_await std::move(unary);
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  co_return std::string{weft::to_string(said)}.append(" ").append(weft::to_string(talked.code())) + " " +
      std::to_string(taken.count());
}

weft::task<std::string> say(Echo::client echo, bool when_connected) {
  const auto begun = std::chrono::steady_clock::now();
  EchoRequest request;
  weft::call_options options{weft::within{when_connected ? 30s : 5s}};
  if (when_connected) options = std::move(options).wait_for_ready();
  const auto reply = co_await echo.Say(std::move(request), std::move(options));
  const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  co_return std::string{weft::to_string(reply.code())} + " " + std::to_string(taken.count());
}

int call(const std::string& address, bool uploads) {
  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  weft::peer_options quick;
  quick.keepalive = quick.keepalive_timeout = 1s;
  quick.arguments = {{"grpc.initial_reconnect_backoff_ms", 100},
                     {"grpc.max_reconnect_backoff_ms", 100},
                     {"grpc.min_reconnect_backoff_ms", 1'000}};  // how long an attempt to connect may take
  weft::peer peer{rt, address, quick};
  const Echo::client echo{peer};
  if (uploads) weft::sync_wait(rt, upload(echo));
  for (std::string line; std::getline(std::cin, line);) {
    auto answer = line == "hold" ? weft::with_scope(&hold, echo) : say(echo, line == "wait");
    std::cout << weft::sync_wait(rt, std::move(answer)) << '\n' << std::flush;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // the test may fail before it ends this
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (role == "serve" && argc == 4) return serve(argv[2], std::chrono::milliseconds{std::atoi(argv[3])});
  if ((role == "upload" || role == "call") && argc == 3) return call(argv[2], role == "upload");
  std::cerr << "usage: echo_program serve ADDRESS GRACE_MS | upload ADDRESS | call ADDRESS\n";
  return 2;
}
