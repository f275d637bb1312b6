#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>
#include <weft/rpc/method.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

namespace detail {
class guide;
class passage;
class served_call;
class served_passage;
}  // namespace detail

// Middleware: coroutines around a call, at the server that serves it or at the peer to which it goes.
//
//     weft::task<weft::status> log_calls(weft::incoming& call, weft::rest_of_call next) {
//       const auto began = std::chrono::steady_clock::now();
//       auto s = co_await next();
//       weft::log(co_await weft::current(), weft::severity::info, …);
//       co_return s;
//     }
//
// Each stands around those that come after it in the list, and all of them around the call: the decoding of the request and
// its handler at a server, every attempt at a peer. It may end the call by returning an error without `next`: the request is
// not decoded then, or not sent. What it returns is the call's outcome. A stream is one call, from its begin to its end.
//
// Runs on the polling worker, on the runtime's control strand, that of the server or of the peer: all of a runtime's
// middleware may share state without locks, and must not block. What it annotates (`weft::annotate`) holds for the handler
// too, as what the caller annotated holds for the middleware of a peer. Cancel: when the client goes or gives up, and at the
// call's deadline, the rest of the call ends and the task is stopped, as a handler's is; the call ends with the reason,
// whatever is returned. Errors: UNKNOWN when it throws, which is logged; INTERNAL when it returns OK without having called
// `next`, or of a call that failed, or calls `next` twice (logged too). Cost: a task for each call and two frames for each
// layer; nothing at all where there is none.

/// `auto s = co_await next();`: the rest of the call, the layers within and then the call itself; yields how it ended. Once,
/// before the middleware ends, on its strand.
class rest_of_call {
 public:
  rest_of_call(detail::passage& p, std::size_t layer) noexcept : passage_{&p}, layer_{layer} {}
  task<status> operator()() const;

 private:
  detail::passage* passage_;
  std::size_t layer_;
};

/// A call that a server has received, as its middleware sees it: after the limits, the authenticator and the policy of
/// `server_options` have let it in.
class incoming {
 public:
  incoming(const incoming&) = delete;
  incoming& operator=(const incoming&) = delete;

  /// "/lobby.v1.Chat/Say".
  const char* method() const noexcept { return info().path; }
  method_kind kind() const noexcept { return info().kind; }
  /// As the client sent it.
  const weft::metadata& metadata() const noexcept;
  /// "ipv4:127.0.0.1:40312".
  std::string peer() const;
  const std::string& identity() const noexcept;
  /// Who calls, as the handler sees it. Before `next`. (A policy decides by what the authenticator found out.)
  void identify(std::string who) noexcept;
  /// When the handler is stopped; `never` for a stream without a limit.
  time_point deadline() const noexcept { return deadline_; }

  /// Sent with the handler's own. Those of a stream are to be added before `next`. What cannot be sent ends the call with
  /// INTERNAL, which names the key.
  weft::metadata& headers() noexcept { return headers_; }
  /// Sent with the status.
  weft::metadata& trailers() noexcept { return trailers_; }

 private:
  friend detail::served_passage;
  explicit incoming(detail::served_call& call) noexcept : call_{call} {}
  ~incoming() = default;
  const method_info& info() const noexcept;

  detail::served_call& call_;
  time_point deadline_ = never;
  weft::metadata headers_;
  weft::metadata trailers_;
};

/// A call to a peer, as the peer's middleware sees it. It was serialised before; retries are beneath it.
class outgoing {
 public:
  outgoing(const outgoing&) = delete;
  outgoing& operator=(const outgoing&) = delete;

  /// "/lobby.v1.Chat/Say".
  const char* method() const noexcept { return info_.path; }
  method_kind kind() const noexcept { return info_.kind; }
  /// The peer's address.
  const std::string& peer() const noexcept { return peer_; }
  /// Sent with the call, beside those of `peer_options`: to be added to, before `next`. What cannot be sent ends the call with
  /// INVALID_ARGUMENT, which names the key.
  weft::metadata& metadata() noexcept { return sent_; }
  time_point deadline() const noexcept { return deadline_; }
  /// Before `next`: the call ends earlier. A later time has no effect.
  void limit(time_point deadline) noexcept {
    if (deadline < deadline_) deadline_ = deadline;
  }

  /// After `next`: metadata of the reply. Empty when none came.
  const weft::metadata& headers() const noexcept { return headers_; }
  const weft::metadata& trailers() const noexcept { return trailers_; }

 private:
  friend detail::guide;
  outgoing(const method_info& info, const std::string& peer) noexcept : info_{info}, peer_{peer} {}
  ~outgoing() = default;

  const method_info& info_;
  const std::string& peer_;
  time_point deadline_ = never;
  weft::metadata sent_;
  weft::metadata headers_;
  weft::metadata trailers_;
};

/// They are called once a call, and live until the last call around which they stand has ended.
using server_middleware = std::function<task<status>(incoming&, rest_of_call)>;
using client_middleware = std::function<task<status>(outgoing&, rest_of_call)>;

}  // namespace weft
