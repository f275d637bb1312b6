#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include <weft/rpc/rpc_service.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

class rpc_runtime;

struct server_options {
  /// Where to listen; port 0 takes a free one. Loopback and Unix sockets only, until there is TLS.
  std::vector<std::string> addresses = {"127.0.0.1:0"};
  /// Requests kept waiting at gRPC for each method; it grows a batch of calls at a time.
  int armed = 64;
  /// Handlers of unary methods are stopped after this time even if their caller would wait longer; streams are not.
  duration longest = std::chrono::seconds{60};
  /// Clients may ping an idle connection so often.
  duration keepalive_permitted = std::chrono::seconds{10};
};

struct server_counters {
  std::uint64_t calls = 0;          ///< Requests that arrived for a known method.
  std::uint64_t malformed = 0;      ///< Requests that were no valid message: INVALID_ARGUMENT.
  std::uint64_t unimplemented = 0;  ///< Requests for a method that is not here: UNIMPLEMENTED.
  std::uint64_t cancelled = 0;      ///< Calls whose client went before the reply was sent.
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

  /// Errors: UNAVAILABLE (an address is taken or cannot be bound, it is named), INVALID_ARGUMENT (it leaves the machine),
  /// FAILED_PRECONDITION (started before, or the runtime has ended).
  status start();

  /// The port of the n-th address, after `start`.
  int port(std::size_t n = 0) const noexcept;
  /// "127.0.0.1:port", for peers in the same machine.
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  /// Accepts nothing new, lets running calls finish for `grace`, cancels the rest, and returns when all have ended, the
  /// handlers that were stopped too.
  /// Blocks; not on a worker, except that of a pumped runtime's own thread. Idempotent.
  void stop(duration grace = duration::zero()) noexcept;

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
