#pragma once
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "echo_service.hpp"

namespace test {

/// The ways a call can go.
enum class way { local, local_other_worker, unary, unary_other_worker, session, session_other_worker };
inline constexpr std::array ways{way::local,   way::local_other_worker,  way::unary, way::unary_other_worker,
                                 way::session, way::session_other_worker};

inline const char* name_of(way w) {
  switch (w) {
    case way::local: return "local";
    case way::local_other_worker: return "local, service on another worker";
    case way::unary: return "unary";
    case way::unary_other_worker: return "unary, service on another worker";
    case way::session: return "session";
    case way::session_other_worker: return "session, service on another worker";
  }
  return "?";
}

/// A service and a client bound to it.
class bound_echo {
 public:
  explicit bound_echo(way w, weft::service_options options = {})
      : service{rt, with_worker(options, w)}, client{bind(w)} {}
  ~bound_echo() {
    session.reset();
    server.stop();
    service.stop_and_wait(weft::stop_mode::abort);
  }

  template <class T>
  T run(weft::task<T> t) {
    return weft::sync_wait(rt, std::move(t));
  }
  /// Runs on the service's strand and comes back.
  template <class F>
  auto inside(F f) {
    return *run(weft::as_task(service.call(std::move(f))));
  }

  /// Ends when `condition()` holds, which is asked on the service's strand.
  template <class F>
  weft::task<> until(F condition) {
    for (;;) {
      const auto holds = co_await service.call(condition);
      if (*holds) co_return;
      std::ignore = co_await weft::sleep_for(std::chrono::milliseconds{1});
    }
  }
  /// Ends when so many handlers have been stopped.
  auto until_stopped(int handlers) {
    return until([this, handlers] { return service.stopped >= handlers; });
  }

  weft::rpc_runtime rt{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
  echo_service service;
  weft::server server{rt};
  std::unique_ptr<weft::peer> peer;
  std::optional<weft::session> session;
  v1::Echo::client client;

 private:
  static weft::service_options with_worker(weft::service_options o, way w) {
    const bool other = w == way::local_other_worker || w == way::unary_other_worker || w == way::session_other_worker;
    o.worker = other ? 1 : 0;
    return o;
  }
  v1::Echo::client bind(way w) {
    if (w == way::local || w == way::local_other_worker) return {service};
    server.add(service);
    REQUIRE(server.start().ok());
    peer = std::make_unique<weft::peer>(rt, server.address());
    if (w == way::unary || w == way::unary_other_worker) return {*peer};
    session.emplace(*peer);
    return {session->ordered(7)};
  }
};

inline v1::EchoRequest say(std::string text, std::chrono::microseconds delay = {}) {
  v1::EchoRequest r;
  r.set_text(std::move(text));
  r.set_delay_us(delay.count());
  return r;
}

template <class F>
void each_way(F f) {
  for (const auto w : ways) {
    CAPTURE(std::string{name_of(w)});
    f(w);
  }
}

}  // namespace test
