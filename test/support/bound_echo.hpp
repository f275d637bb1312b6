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
#include <weft/runtime/with_timeout.hpp>

#include "echo_service.hpp"
#include "outer_loop.hpp"

namespace test {

/// The ways a call can go.
enum class way {
  local,
  local_other_worker,
  unary,
  unary_other_worker,
  session,
  session_other_worker,
  session_spinning,
  local_in_frames,
  unary_in_frames,
  session_in_frames,
  local_in_asio,
  unary_in_asio,
  session_in_asio,
  local_in_epoll,
  unary_in_epoll,
  session_in_epoll,
};
inline constexpr std::array ways{way::local,   way::local_other_worker,   way::unary,           way::unary_other_worker,
                                 way::session, way::session_other_worker, way::session_spinning};
/// The same on one thread, in the loops of samples/embed.
inline constexpr std::array pumped_ways{way::local_in_frames, way::unary_in_frames, way::session_in_frames,
                                        way::local_in_asio,   way::unary_in_asio,   way::session_in_asio,
                                        way::local_in_epoll,  way::unary_in_epoll,  way::session_in_epoll};

inline const char* name_of(way w) {
  switch (w) {
    case way::local: return "local";
    case way::local_other_worker: return "local, service on another worker";
    case way::unary: return "unary";
    case way::unary_other_worker: return "unary, service on another worker";
    case way::session: return "session";
    case way::session_other_worker: return "session, service on another worker";
    case way::session_spinning: return "session, between workers that spin";
    case way::local_in_frames: return "local, in a frame loop";
    case way::unary_in_frames: return "unary, in a frame loop";
    case way::session_in_frames: return "session, in a frame loop";
    case way::local_in_asio: return "local, in Asio's io_context";
    case way::unary_in_asio: return "unary, in Asio's io_context";
    case way::session_in_asio: return "session, in Asio's io_context";
    case way::local_in_epoll: return "local, in an epoll loop";
    case way::unary_in_epoll: return "unary, in an epoll loop";
    case way::session_in_epoll: return "session, in an epoll loop";
  }
  return "?";
}

/// The loop that the runtime is pumped in; empty when it has threads.
inline std::optional<loop_kind> loop_of(way w) {
  switch (w) {
    case way::local_in_frames:
    case way::unary_in_frames:
    case way::session_in_frames: return loop_kind::frames;
    case way::local_in_asio:
    case way::unary_in_asio:
    case way::session_in_asio: return loop_kind::asio;
    case way::local_in_epoll:
    case way::unary_in_epoll:
    case way::session_in_epoll: return loop_kind::epoll;
    default: return std::nullopt;
  }
}

/// A service and a client bound to it.
class bound_echo {
 public:
  explicit bound_echo(way w, weft::service_options options = {})
      : rt{options_for(w)},
        loop{loop_of(w) ? outer_loop::make(*loop_of(w), rt) : nullptr},
        service{rt, with_worker(options, w)},
        client{bind(w)} {}
  ~bound_echo() {
    session.reset();
    server.stop();
    service.stop_and_wait(weft::stop_mode::abort);
  }

  template <class T>
  T run(weft::task<T> t) {
    if (!loop) return weft::sync_wait(rt, std::move(t));
    weft::detail::waited<T> root{rt.control(), nullptr, "in a loop"};
    REQUIRE(root.start(std::move(t)));
    loop->run_until([&root] { return root.done(); });
    return root.take();
  }
  /// Runs on the service's strand and comes back.
  template <class F>
  auto inside(F f) {
    return *run(weft::as_task(service.call(std::move(f))));
  }

  /// Ends when `condition()` holds, which is asked on the service's strand, in turn with all else; or with the caller.
  template <class F>
  weft::task<weft::status> until(F condition) {
    for (;;) {
      const auto holds = co_await service.call(condition);
      if (!holds.ok() || *holds) co_return holds.status();
      co_await weft::yield{};
    }
  }
  /// Ends when so many handlers have been stopped.
  auto until_stopped(int handlers) {
    return until([this, handlers] { return service.stopped >= handlers; });
  }
  /// Has `attempt(limit)` make a call that outlives its limit, until a handler has begun and was stopped by that: on a
  /// machine that is slow the time may be over before the handler begins, and the next attempt has four times as much.
  template <class F>
  void until_stopped_by_limit(F attempt) {
    using namespace std::chrono_literals;
    for (auto limit = 50ms; limit < 1min; limit *= 4) {
      attempt(limit);
      if (run(weft::with_timeout(limit, until_stopped(1))).ok()) return;
    }
    FAIL("no handler was stopped");
  }

  weft::rpc_runtime rt;
  std::unique_ptr<outer_loop> loop;
  echo_service service;
  weft::server server{rt};
  std::unique_ptr<weft::peer> peer;
  std::optional<weft::session> session;
  v1::Echo::client client;

 private:
  static weft::rpc_options options_for(way w) {
    weft::rpc_options o;
    o.runtime.workers = loop_of(w) ? 0 : 2;
    if (w == way::session_spinning) o.runtime.spin = std::chrono::microseconds{50};
    o.runtime.wake.fd = loop_of(w).has_value() && *loop_of(w) != loop_kind::frames;
    o.runtime.log = [](std::string_view) {};
    return o;
  }
  static weft::service_options with_worker(weft::service_options o, way w) {
    const bool other = w == way::local_other_worker || w == way::unary_other_worker || w == way::session_other_worker;
    o.worker = other ? 1 : 0;
    return o;
  }
  v1::Echo::client bind(way w) {
    switch (w) {
      case way::local:
      case way::local_other_worker:
      case way::local_in_frames:
      case way::local_in_asio:
      case way::local_in_epoll: return {service};
      default: break;
    }
    server.add(service);
    REQUIRE(server.start().ok());
    peer = std::make_unique<weft::peer>(rt, server.address());
    switch (w) {
      case way::unary:
      case way::unary_other_worker:
      case way::unary_in_frames:
      case way::unary_in_asio:
      case way::unary_in_epoll: return {*peer};
      default: break;
    }
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

template <class F>
void each_way_and_loop(F f) {
  each_way(f);
  for (const auto w : pumped_ways) {
    CAPTURE(std::string{name_of(w)});
    f(w);
  }
}

}  // namespace test
