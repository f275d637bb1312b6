#include "lobby/process.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/temporary_file.hpp"
#include "grpc/health/v1/health.weft.hpp"
#include "lobby/child_process.hpp"
#include "lobby/demo_report.hpp"
#include "lobby/free_addresses.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using weft::code;

namespace {

/// Chat in a process of its own, that is told to end while it says a line which takes `line_ms`.
struct chat_process {
  chat_process(int line_ms, int grace_ms) {
    const auto addresses = free_addresses(2);
    const temporary_file topology{"{\"listen\": \"127.0.0.1:0\", \"gate\": {\"address\": \"" + addresses[0] +
                                  "\"}, \"chat\": {\"address\": \"" + addresses[1] + "\"}, \"chatDelayMs\": " +
                                  std::to_string(line_ms) + ", \"graceMs\": " + std::to_string(grace_ms) + "}"};
    served = &all.start("chat", {LOBBY_BINARY, "--role", "chat", "--config", topology.name()});
    REQUIRE_MESSAGE(all.wait(30s, [&] { return !served->running() || !served->output().empty(); }), served->report());
    address = addresses[1];
    client = std::thread{[this] { weft::sync_wait(rt, weft::with_scope(&chat_process::watch_and_say, this)); }};
  }
  ~chat_process() {
    if (client.joinable()) client.join();
  }

  weft::task<> watch_and_say(weft::scope& s) {
    weft::peer peer{rt, address};
    HealthCheckRequest chat;
    chat.set_service(v1::Chat::full_name);
    auto health = grpc::health::v1::Health::client{peer}.Watch(std::move(chat), weft::within{weft::duration::max()});
    auto said = s.start(say({peer}));
    const auto first = co_await health.read();
    CHECK((first && first->status() == HealthCheckResponse::SERVING));
    watched = true;
    const auto second = co_await health.read();
    CHECK((second && second->status() == HealthCheckResponse::NOT_SERVING));
    told = true;
    line = co_await std::move(said);
  }
  static weft::task<code> say(v1::Chat::client chat) {
    v1::SayRequest request;
    request.set_text("hello");
    const auto reply = co_await chat.Say(std::move(request), weft::within{60s});
    co_return reply.code();
  }
  static void wait_for(const std::atomic<bool>& happened) {
    const auto patience = std::chrono::steady_clock::now() + 30s;
    while (!happened && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
    REQUIRE(happened);
  }
  void ends_in_order() {
    REQUIRE(all.wait(30s, [&] { return !served->running(); }));
    CHECK_MESSAGE(served->succeeded(), served->report());
    const auto left = parse_left_over(served->output().back());
    CHECK_MESSAGE((left && left->nothing()), served->output().back());
    client.join();
  }

  child_processes all;
  child_process* served = nullptr;
  std::string address;
  weft::rpc_runtime rt;
  std::thread client;
  std::atomic<bool> watched{false}, told{false};
  code line = code::ok;
};

}  // namespace

TEST_CASE("a lobby process that is asked to end says so by its health, and finishes the calls it has") {
  chat_process chat{500, 30'000};
  chat_process::wait_for(chat.watched);
  chat.served->signal(SIGTERM);
  chat.ends_in_order();
  CHECK(chat.line == code::not_found);  // nobody was in the room: what is said after the whole delay
}

TEST_CASE("a lobby process that is asked a second time does not wait for the calls it has") {
  chat_process chat{3'600'000, 3'600'000};
  chat_process::wait_for(chat.watched);
  chat.served->signal(SIGTERM);
  chat_process::wait_for(chat.told);
  chat.served->signal(SIGTERM);
  chat.ends_in_order();
  CHECK((chat.line == code::unavailable || chat.line == code::cancelled));
}

TEST_CASE("a lobby that is asked for dumps, and to end, over and over ends in order") {
  const temporary_file topology{R"({"listen": "127.0.0.1:0"})"};
  child_processes all;
  auto& served = all.start("lobby", {LOBBY_BINARY, "--role", "all", "--config", topology.name()});
  REQUIRE_MESSAGE(all.wait(30s, [&] { return !served.running() || !served.output().empty(); }), served.report());
  for (int i = 0; i < 500; ++i) served.signal(SIGUSR1);
  const auto ended = [&] { return !served.running(); };
  bool has_ended = false;
  for (int i = 0; i < 300 && !has_ended; ++i) {
    served.signal(SIGTERM);
    served.signal(SIGTERM);
    has_ended = all.wait(100ms, ended);
  }
  REQUIRE(has_ended);
  REQUIRE_MESSAGE(served.succeeded(), served.report());
  const auto left = parse_left_over(served.output().back());
  CHECK_MESSAGE((left && left->nothing()), served.output().back());
}
