#pragma once
#include <optional>
#include <utility>
#include <weft/rpc/client_stream.hpp>
#include <weft/rpc/method.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/session.hpp>
#include <weft/rpc/session/session_call.hpp>
#include <weft/rpc/stream_exchange.hpp>
#include <weft/rpc/unary.hpp>

namespace weft {

/// Where a generated client's calls go: to a service in this process, to a peer, or over a session. The call site cannot tell;
/// that is a matter of configuration. A service and a peer must outlive it.
template <class Service>
class binding {
 public:
  binding(Service& local) noexcept : local_{&local} {}
  binding(peer& remote) noexcept : remote_{&remote} {}
  binding(session_lane lane) noexcept : lane_{std::move(lane)} {}

  bool local() const noexcept { return local_ != nullptr; }

  /// An rvalue request is moved into a local call, an lvalue copied; a remote one is serialised here and now.
  template <class Reply, class Request>
  call<Reply> make(const method_info& info, reply<Reply> (Service::*method)(std::remove_cvref_t<Request>&),
                   Request&& request, call_options options) const {
    if (local_ != nullptr) {
      using operation = method_call<Service, std::remove_cvref_t<Request>, Reply>;
      return {held_call<Reply>{new operation{*local_, info, method, std::forward<Request>(request)}},
              std::move(options)};
    }
    if (lane_ && lane_->guided())
      return {held_call<Reply>{new unary_call<Reply>{*lane_, info, request}}, std::move(options)};
    if (lane_) {
      return {held_call<Reply>{new session_call<Reply>{lane_->outlet(), lane_->order(), info, request}},
              std::move(options)};
    }
    return {held_call<Reply>{new unary_call<Reply>{*remote_, info, request}}, std::move(options)};
  }

  /// A call of a method that streams, not begun.
  template <class Request, class Reply, class Handler>
  detail::outgoing_stream<Request, Reply> stream(const method_info& info, Handler method) const {
    if (local_ != nullptr) {
      return outgoing<Request, Reply>(
          new detail::stream_method<Service, Request, Reply, Handler, Request, Reply>{*local_, info, method});
    }
    return outgoing<Request, Reply>(
        new detail::stream_exchange{lane_ ? lane_->streams() : remote_->shared_channel(), info});
  }

 private:
  template <class Request, class Reply, class Operation>
  static detail::outgoing_stream<Request, Reply> outgoing(Operation* made) {
    return {held_call<unit>{made}, made, detail::either_pipe<Request>{made->requests()},
            detail::either_pipe<Reply>{made->replies()}};
  }

  Service* local_ = nullptr;
  peer* remote_ = nullptr;
  std::optional<session_lane> lane_;
};

}  // namespace weft
