#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>
#include <weft/rpc/access.hpp>
#include <weft/rpc/middleware.hpp>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/tls.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

class rpc_runtime;

struct server_options {
  /// Where to listen; port 0 takes a free one. Without TLS loopback and Unix sockets only, unless `plain_text_on_network`.
  std::vector<std::string> addresses = {"127.0.0.1:0"};
  std::optional<server_tls> tls = {};
  /// Everybody on the way can read and change what is said, and call.
  bool plain_text_on_network = false;
  /// Finds out who calls; `handled_call::identity` tells handlers. Null: the first name in the client's certificate (mTLS),
  /// otherwise nobody.
  authenticator authenticate = {};
  /// Who may call what; everybody everything when it is empty.
  access_policy policy = {};
  /// Coroutines around every call that is let in, the outermost first: see middleware.hpp.
  std::vector<server_middleware> middleware = {};
  /// Requests kept waiting at gRPC for each method; it grows a batch of calls at a time.
  int armed = 64;
  /// Handlers of unary methods are stopped after this time even if their caller would wait longer, and named in the log;
  /// streams are not.
  duration longest = std::chrono::seconds{60};
  /// Clients may ping an idle connection so often.
  duration keepalive_permitted = std::chrono::seconds{10};
  /// Each connection is pinged so often, and dropped when no answer comes for `keepalive_timeout`: otherwise the handlers of
  /// a client that has vanished without a word go on for as long as they like. Zero: after two hours, as gRPC has it.
  duration keepalive = std::chrono::seconds{20};
  duration keepalive_timeout = std::chrono::seconds{5};

  /// Handlers in progress, those whose client has gone too: a client that opens calls and resets them at once (rapid reset)
  /// fills no more than that. One more call is RESOURCE_EXHAUSTED.
  std::size_t running = 20'000;
  /// Of these for each client address (all its connections; Unix sockets are one address); 0: as many as there are.
  std::size_t running_per_peer = 0;
  /// Calls in progress on one connection; further ones wait at the client.
  int streams_per_connection = 20'000;
  /// Clients may call over sessions (rpc/session.hpp); otherwise theirs get unary calls.
  bool sessions = true;
  /// Of a session: calls that it may have out, the bytes of their requests, and the bytes that wait to be read by its client:
  /// while there are more, nothing more is read from it, and the server's calls of it wait.
  std::size_t session_calls = 8'192;
  std::size_t session_bytes = 16U << 20U;
  std::size_t session_reply_bytes = 16U << 20U;
  /// A larger request fails its call with RESOURCE_EXHAUSTED.
  int request_bytes = 4 << 20;
  /// Of all metadata of a call, each entry with 32 bytes added; more fails it with RESOURCE_EXHAUSTED. gRPC stops reading at
  /// four times as much, which may cost the client its connection.
  int metadata_bytes = 16 << 10;
  /// A connection that has not shaken hands by then is closed.
  duration handshake = std::chrono::seconds{10};
  /// Clients of older connections are asked to make new ones, and have the grace to finish their calls: so they spread over
  /// servers that are added. Zero: never.
  duration connection_age = duration::zero();
  duration connection_age_grace = std::chrono::seconds{30};
};

struct server_counters {
  std::uint64_t calls = 0;          ///< Requests that arrived for a known method.
  std::uint64_t malformed = 0;      ///< Requests that were no valid message: INVALID_ARGUMENT.
  std::uint64_t unimplemented = 0;  ///< Requests for a method that is not here: UNIMPLEMENTED.
  std::uint64_t cancelled = 0;      ///< Calls whose client went before the reply was sent.
  std::uint64_t denied = 0;         ///< Calls of callers that are not known, or not allowed to.
  std::uint64_t refused = 0;        ///< Calls beyond the server's limits: RESOURCE_EXHAUSTED.
};

/// Offers services to other processes, in any language, as ordinary gRPC. Their handlers run on the services' strands.
///
/// A client's deadline and cancellation reach the handler's task. Limits are the services' own: a full one answers
/// RESOURCE_EXHAUSTED. One server a runtime; made, filled and started from a thread that is no worker.
class server {
 public:
  explicit server(rpc_runtime& rt, server_options options = {});
  /// As `stop(0)`.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Before `start`. The service must outlive the server's stop.
  void add(rpc_service& s);

  /// Says in the log where it listens, and its limits. Errors: UNAVAILABLE (an address is taken or cannot be bound: it may be
  /// started again), INVALID_ARGUMENT (no address; plain text would leave the machine; a method that two services have; a file
  /// of `tls`; a rule of `policy`; a null middleware; each is named), FAILED_PRECONDITION (started before, or the runtime has
  /// ended).
  status start();

  /// The port of the n-th address, after `start`.
  int port(std::size_t n = 0) const noexcept;
  /// "127.0.0.1:port", for peers in the same machine.
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  /// Accepts nothing new, lets running calls finish for `grace` (10 ms at least), cancels the rest, and returns when all have ended, the
  /// handlers that were stopped too. A stop that is asked of `at_once`, on any thread, ends the grace. See also `drain`.
  /// Blocks; not on a worker, except that of a pumped runtime's own thread. Idempotent.
  void stop(duration grace = duration::zero(), const std::stop_token& at_once = {}) noexcept;

  /// As seen by the polling worker: exact after `stop`.
  const server_counters& counters() const noexcept { return counters_; }

 private:
  class state;
  friend state;

  rpc_runtime& runtime_;
  server_options options_;
  std::vector<rpc_service*> services_;
  std::vector<int> ports_;
  server_counters counters_;
  std::unique_ptr<state> state_;
};

}  // namespace weft
