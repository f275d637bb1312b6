#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/this_call.hpp>

#include "bound_echo.hpp"
#include "test/v1/echo.weft.hpp"

// Two runtimes with a session between them, and a service that remembers the order in which it is called.
namespace test {

// Remembers what it is told, in order. "hold" waits until it is let go.
class listener final : public v1::Echo::service {
 public:
  using service::service;

  weft::reply<v1::EchoReply> Say(v1::EchoRequest& request) override {
    heard.push_back(request.text());
    if (request.delay_us() != 0) {
      const auto slept = co_await weft::sleep_for(std::chrono::microseconds{request.delay_us()});
      if (!slept.ok()) co_return slept;
    }
    if (request.text() == "hold") {
      ++held;
      const auto waited = co_await let_go.wait();
      if (!waited.ok()) co_return waited;
    }
    if (request.text() == "call back") {
      const auto call = co_await weft::this_call();
      const v1::Echo::client back{weft::caller_session(call)};
      co_return co_await back.Say(say("from the server"));
    }
    v1::EchoReply reply;
    reply.set_text(request.text());
    const auto call = co_await weft::this_call();
    reply.set_identity(call.identity());
    reply.mutable_payload()->swap(*request.mutable_payload());
    co_return reply;
  }

  std::vector<std::string> heard;
  int held = 0;
  weft::event let_go;
};

// A server and a client, each with a runtime of its own.
struct ends {
  explicit ends(weft::server_options o = {}, weft::session_options so = {}, weft::peer_options p = {},
                weft::service_options s = {}, weft::duration spin = {})
      : serving{two_workers(spin)}, there{serving, roomy(s)}, server{serving, std::move(o)}, client{two_workers(spin)} {
    server.add(there);
    const auto started = server.start();
    REQUIRE_MESSAGE(started.ok(), started);
    peer.emplace(client, server.address(), p);
    session.emplace(peer->session(std::move(so)));
  }
  ~ends() {
    session.reset();
    server.stop();
    there.stop_and_wait(weft::stop_mode::abort);
  }

  template <class T>
  T run(weft::task<T> t) {
    return weft::sync_wait(client, std::move(t));
  }
  weft::result<v1::EchoReply> say_over(const weft::session_lane& lane, v1::EchoRequest request,
                                       weft::call_options options = {}) {
    return run(weft::as_task(v1::Echo::client{lane}.Say(std::move(request), std::move(options))));
  }
  template <class F>
  auto inside(F f) {
    return *weft::sync_wait(serving, weft::as_task(there.call(std::move(f))));
  }
  std::vector<std::string> heard() {
    return inside([this] { return there.heard; });
  }
  void until_held(int calls) {
    while (inside([this] { return there.held; }) < calls) std::this_thread::yield();
  }
  void let_go() {
    inside([this] { there.let_go.set(); });
  }

  static weft::service_options roomy(weft::service_options s) {
    s.mailbox = 10'000;
    return s;
  }

  static weft::rpc_options two_workers(weft::duration spin) {
    return {.runtime = {.workers = 2, .spin = spin, .log = [](std::string_view) {}}};
  }

  weft::rpc_runtime serving;
  listener there;
  weft::server server;
  weft::rpc_runtime client;
  std::optional<weft::peer> peer;
  std::optional<weft::session> session;
};

using outcomes = std::vector<weft::result<v1::EchoReply>>;

// Starts calls, one for each text, in this order and without waiting between them; all their outcomes.
inline weft::task<outcomes> say_in(v1::Echo::client to, std::vector<std::string> texts, weft::call_options options,
                                   weft::scope& s) {
  std::vector<weft::started<weft::result<v1::EchoReply>>> calls;
  for (auto& text : texts) calls.push_back(s.start(to.Say(say(std::move(text)), options)));
  outcomes all;
  for (auto& c : calls) {
    auto reply = co_await std::move(c);
    all.push_back(std::move(reply));
  }
  co_return all;
}
inline outcomes say_all(ends& e, const weft::session_lane& lane, std::vector<std::string> texts,
                        weft::call_options options = {}) {
  return e.run(weft::with_scope(&say_in, v1::Echo::client{lane}, std::move(texts), std::move(options)));
}
inline std::size_t how_many(const outcomes& all, weft::code c) {
  return static_cast<std::size_t>(std::ranges::count(all, c, [](const auto& r) { return r.code(); }));
}

inline std::vector<std::string> numbers(int n) {
  std::vector<std::string> texts;
  for (int i = 0; i < n; ++i) texts.push_back(std::to_string(i));
  return texts;
}

}  // namespace test
