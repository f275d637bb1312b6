#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weft/rpc/middleware.hpp>
#include <weft/rpc/retry.hpp>
#include <weft/rpc/tls.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/metadata.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

class rpc_runtime;
class session;
struct method_info;
struct session_options;

namespace detail {
class channel;
}

struct peer_options {
  /// Without it only loopback and Unix sockets can be called, unless `plain_text_on_network`.
  std::optional<client_tls> tls = {};
  /// Everybody on the way can read and change what is said.
  bool plain_text_on_network = false;
  /// Sent with every call, before the call's own: `weft::metadata{}.add("authorization", "Bearer " + token)`.
  weft::metadata metadata = {};
  /// Connections, which calls use in turn. gRPC reads all that has come on a connection in one go, beneath the worker's
  /// loop: with thousands of calls in flight, several connections keep these pauses short. One is fastest otherwise.
  int connections = 1;
  /// Ping an idle connection so often, and drop it when no answer comes for `keepalive_timeout`: without it a half-open
  /// connection hangs until the deadline. Zero: never. gRPC sends two pings after the last thing that was sent, since other
  /// servers end a connection with more; `arguments = {{"grpc.http2.max_pings_without_data", 0}}` goes on, with servers of weft's.
  duration keepalive = std::chrono::seconds{20};
  duration keepalive_timeout = std::chrono::seconds{5};
  /// After a failure to connect: waited before the next attempt, about 1.6 times as long after each further one.
  duration first_backoff = std::chrono::milliseconds{100};
  duration most_backoff = std::chrono::seconds{2};
  /// Which unary calls are made again, and when. None unless it is said.
  std::vector<retry_policy> retries = {};
  /// Coroutines around every call, the outermost first: see middleware.hpp.
  std::vector<client_middleware> middleware = {};
  /// Keys of metadata that travel on: a call that a handler makes carries what came with the call that it serves, unless it
  /// says that key itself. Read from the handler's own call only: not beyond a local call in between.
  std::vector<std::string> forward = {};
  /// gRPC's own retries cost a fifth of the throughput; off.
  bool grpc_retries = false;
  /// Further channel arguments, by gRPC's names; they win over what weft sets.
  std::map<std::string, int> arguments = {};
};

/// What gRPC knows of a connection.
enum class connectivity : std::uint8_t {
  idle,  ///< Not connected, since nothing was called, or for long nothing.
  connecting,
  ready,
  failing,  ///< It could not be made; it is tried again after the backoff.
};
std::string_view to_string(connectivity c) noexcept;

/// Where remote calls go: one address, one connection or a few, made on demand and again when it breaks.
///
/// One peer serves any number of clients, coroutines and strands at once. It must outlive the making of calls, not the calls.
class peer {
 public:
  /// `address` as gRPC takes it: "127.0.0.1:50051", "unix:/run/chat.sock".
  peer(rpc_runtime& rt, const std::string& address, const peer_options& options = {});
  ~peer();
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;

  /// Many calls on one stream, in order: see rpc/session.hpp.
  weft::session session();
  weft::session session(session_options options);

  const std::string& address() const noexcept { return address_; }
  /// Ok, or INVALID_ARGUMENT with what is wrong with its address or options (a file of `tls`, plain text that would leave the
  /// machine): all its calls end with that.
  const status& problem() const noexcept;

  /// Of its connections the one that is furthest from being ready; `failing` when there is a `problem`. As of a moment ago,
  /// from any thread; asks for nothing.
  weft::connectivity connectivity() const;
  /// Makes its connections without a call, and waits until all are ready, however often that takes: for programs that begin
  /// only when what they need is there. Resumes on the caller's strand. `problem`, if there is one; CANCELLED when the caller
  /// is stopped (so `with_timeout` ends it), within 20 ms; UNAVAILABLE when the runtime ends.
  task<status> connect() const;

  const std::shared_ptr<detail::channel>& shared_channel() const noexcept { return channel_; }

 private:
  std::string address_;
  std::shared_ptr<detail::channel> channel_;
};

/// True when nothing that is sent to `address` leaves the machine.
bool is_local_address(const std::string& address);

}  // namespace weft
