#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/rpc/session/session_item.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

class handled_call;
class peer;
class rpc_service;

namespace detail {
class channel;
class session_core;
}  // namespace detail

/// What becomes of calls with a key that have not been sent when the stream breaks. Those without a key are sent when there
/// is a stream again.
enum class on_break : std::uint8_t {
  fail,    ///< They fail, as those do that were sent: nobody learns late that a call before his has failed.
  resend,  ///< They are sent too.
};

struct session_options {
  weft::on_break on_break = weft::on_break::fail;
  /// Services that the server may call over this session. They must outlive it.
  std::vector<rpc_service*> offers = {};
  /// Calls of the server that are served at once, and the bytes of their requests.
  std::size_t window_calls = 1'024;
  std::size_t window_bytes = 4U << 20U;
  /// Calls that wait for room in the server's window, or for a connection; one more is RESOURCE_EXHAUSTED.
  std::size_t waiting = 65'536;
  /// After a failure to connect: waited before the next attempt, twice as long after each further one.
  duration first_backoff = std::chrono::milliseconds{100};
  duration most_backoff = std::chrono::seconds{2};
  /// A server that has no sessions gets unary calls; those of one key one after the other, each when the one before it was
  /// answered. Otherwise they fail with UNIMPLEMENTED.
  bool fall_back_to_unary = true;
};

enum class session_state : std::uint8_t {
  idle,        ///< Not connected: nothing was called, or the stream ended. The next call connects.
  connecting,  ///< The stream has begun; the server has not said anything yet.
  open,
  backing_off,  ///< It could not connect; calls fail at once, or wait if they said so.
  unary,        ///< The server has no sessions.
  closed,
};
std::string_view to_string(session_state s) noexcept;

/// Where the calls of one order go: those of one key are handed to their service in the order in which they were started.
/// (The order of their effects needs an exclusive method.) Cheap to copy.
///
/// There is no inversion; there are gaps: calls that are refused, or whose deadline passes before they run. Without gaps:
/// the first call that does not run stops the lane, and all that follow it fail with ABORTED, without having run, until
/// `resume`.
class session_lane {
 public:
  session_lane(std::shared_ptr<detail::session_outlet> to, std::shared_ptr<detail::channel> streams,
               detail::session_order order, bool guided = false) noexcept
      : to_{std::move(to)}, streams_{std::move(streams)}, order_{order}, guided_{guided} {}

  /// Calls over the same session with this key, for calls back, which `caller_session` gives without one. Not 0.
  session_lane ordered(std::uint64_t key) const { return {to_, streams_, {.key = key}, guided_}; }

  /// The order of a lane without gaps begins anew: whoever calls this knows what did not run. On a worker.
  void resume() const;

  const std::shared_ptr<detail::session_outlet>& outlet() const noexcept { return to_; }
  /// For calls of methods that stream, which are calls of their own; null where there are none.
  const std::shared_ptr<detail::channel>& streams() const noexcept { return streams_; }
  detail::session_order order() const noexcept { return order_; }
  /// The peer has middleware, or metadata to forward.
  bool guided() const noexcept { return guided_; }

 private:
  std::shared_ptr<detail::session_outlet> to_;
  std::shared_ptr<detail::channel> streams_;
  detail::session_order order_;
  bool guided_;
};

/// Many calls to a peer on one stream, in batches: ordered where that is asked for, and several times cheaper than unary
/// calls. `Chat::client{session.ordered(player)}` calls as any client does: deadline, cancellation, metadata, errors and
/// details are those of a unary call. Any number of clients, tasks and workers may use it at once.
///
/// Connects when it is first used and again when the stream breaks. A break fails each call that was sent and not answered
/// with UNAVAILABLE, and says whether it may have run (`call_options::may_have_run_into`); policies of `peer_options::retries`
/// do not apply. The peer's middleware stands around each call, and what it forwards goes along; calls of one key go on in the
/// order in which they reached the middleware, so that one which waits there holds up those behind it. While the server cannot be reached calls fail with UNAVAILABLE, or wait (`call_options::wait_for_ready`).
/// A server that goes away answers what it has begun; the rest goes to the next connection, that of a key when none of the key's
/// calls is out on the old one any more. A server that goes away or breaks again and again without an answer cannot be reached.
class session {
 public:
  /// The peer must outlive the making of calls.
  explicit session(peer& to, session_options options = {});
  /// Calls that are out end with CANCELLED. Blocks until the services that it offers are let go of; with offers not on a
  /// worker.
  ~session();
  session(session&&) noexcept = default;
  session& operator=(session&&) = delete;

  /// Calls of this key keep their order. Any number but 0, which is no order.
  session_lane ordered(std::uint64_t key) const;
  /// The same by the hash of a name.
  session_lane ordered(std::string_view key) const { return ordered(key_of(key)); }
  /// The order of a key without gaps.
  session_lane gapless(std::uint64_t key) const;
  session_lane gapless(std::string_view key) const { return gapless(key_of(key)); }
  /// No order.
  session_lane unordered() const { return ordered(std::uint64_t{0}); }

  /// As of a moment ago. Any thread.
  session_state state() const noexcept;

 private:
  static std::uint64_t key_of(std::string_view name) noexcept { return std::hash<std::string_view>{}(name) | 1U; }
  std::shared_ptr<detail::session_core> core_;
};

/// In a handler whose call came over a session: calls of the unary methods of services that the caller offers on it, in no
/// order unless `.ordered(key)`. They fail with UNAVAILABLE once that session is over, and with FAILED_PRECONDITION when the
/// handler's call came in another way.
session_lane caller_session(const handled_call& call);

}  // namespace weft
