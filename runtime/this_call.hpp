#pragma once
#include <coroutine>
#include <memory>
#include <string>
#include <weft/runtime/call_extras.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

class service_call;

/// The call that a handler serves: what came with it beside the request, and what goes back beside the reply. Lives as long
/// as the handler; on its strand.
class handled_call {
 public:
  explicit handled_call(service_call& c) noexcept : call_{&c} {}

  /// "/lobby.v1.Chat/Say".
  const char* method() const noexcept;
  /// When the caller stops waiting; `never` for one that does not.
  time_point deadline() const noexcept;
  /// Who calls, as gRPC writes it: "ipv4:127.0.0.1:40312"; "local" for a call from this process.
  std::string peer() const;
  /// Who the server found the caller to be (`server_options`): empty when nobody asked, and for calls from this process.
  const std::string& identity() const;
  /// What the caller sent along: `call_options::with`.
  const weft::metadata& metadata() const;

  /// Whether the request came compressed, through a network. (Those of a stream: `reader::came_compressed`.)
  bool came_compressed() const noexcept;

  /// See `weft::caller_session` in rpc/session.hpp.
  std::shared_ptr<void> way_back() const;

  /// Metadata before the reply. Those of a streaming method leave with its first reply, or by `send_headers`; what is added
  /// later is not sent. A call whose metadata cannot be sent ends with INTERNAL, which names the key.
  weft::metadata& headers() const;
  /// Metadata after the reply, with the status.
  weft::metadata& trailers() const;
  /// Of a streaming method: sends the headers now. Once, before the first reply; has no effect otherwise.
  void send_headers() const;
  /// Replies are compressed on their way through a network. Before the first one.
  void compress(compression c) const;

 private:
  service_call* call_;
};

/// `auto call = co_await weft::this_call()`: the call that the handler serves which this task is, or is part of (not what was
/// spawned or runs in a lane). Does not suspend. Outside of handlers a misuse.
class [[nodiscard]] this_call {
 public:
  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  bool await_suspend(std::coroutine_handle<P> h) noexcept {
    call_ = &handler_of(h.promise().ctx());
    return false;
  }
  handled_call await_resume() const noexcept { return handled_call{*call_}; }

 private:
  static service_call& handler_of(const context& ctx) noexcept;
  service_call* call_ = nullptr;
};

}  // namespace weft
