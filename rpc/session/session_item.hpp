#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <weft/rpc/method.hpp>
#include <weft/rpc/session/frames.hpp>
#include <weft/rpc/unary.hpp>
#include <weft/runtime/call_extras.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/timer_wheel.hpp>
#include <weft/runtime/work.hpp>

namespace weft {

class worker;

namespace detail {

class session_item;
class session_wire;
class unary_attempt;

/// Where the calls of a session go, on the polling worker.
class session_outlet {
 public:
  worker& home() noexcept { return home_; }
  /// Takes it, until it is `answered` or has `failed`; or says why not: it surely does not run.
  virtual status start(session_item& item) noexcept = 0;
  /// Nobody waits for it any more: lets go of it. Returns false when it surely does not run.
  virtual bool give_up(session_item& item) noexcept = 0;
  /// A call of a key without gaps does not begin: those that are started from now on do not either.
  virtual void gap(std::uint64_t key) noexcept = 0;
  /// The order of a key without gaps begins anew.
  virtual void resume(std::uint64_t key) noexcept = 0;

 protected:
  explicit session_outlet(worker& home) noexcept : home_{home} {}
  ~session_outlet() = default;

 private:
  worker& home_;
};

/// In which order calls of one session are handed to their service: those of one key as they were started.
struct session_order {
  std::uint64_t key = 0;  ///< 0: in none.
  bool gapless = false;
};

/// A serialised message; small ones, as most are, without an allocation.
class payload {
 public:
  /// INVALID_ARGUMENT, naming the message's type, when it lacks a required field or is larger than 2 GiB.
  status set(const google::protobuf::MessageLite& message);
  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(large_ ? large_.get() : small_.data()), size_};
  }

 private:
  std::size_t size_ = 0;
  std::unique_ptr<std::uint8_t[]> large_;
  std::array<std::uint8_t, 64> small_;
};

/// A call as its session sees it: part of the operation that the caller holds. Made and destroyed on the caller's worker.
///
/// Between two workers only messages pass, and every field has one owner:
///   1. the caller submits it to the polling worker (`travel_`); from then on it is the outlet's.
///   2. the polling worker, when it is answered or has failed, submits it back.
///   3. a caller that gives up before that submits `order_` to the polling worker, which gives the call up at the outlet, if
///      it is still there, and submits `order_` back.
/// The caller's worker destroys it when it is back (2) and no order is out (3). On one worker the messages are function
/// calls, except that a call that was given up comes back later, not beneath its caller.
class session_item : timer {
 public:
  session_item(std::shared_ptr<session_outlet> to, session_order order, const method_info& method,
               const google::protobuf::MessageLite& request);
  session_item(const session_item&) = delete;
  session_item& operator=(const session_item&) = delete;

  // The outlet's.

  const method_info& method() const noexcept { return method_; }
  const session_order& order() const noexcept { return order_of_; }
  std::string_view request() const noexcept { return request_.view(); }
  time_point deadline() const noexcept { return deadline_; }
  virtual const call_extras* extras() const noexcept = 0;
  /// The call's outcome. Once, or `failed`.
  void answered(const reply_frame& reply) noexcept;
  void failed(status why, bool may_have_run) noexcept;
  /// The call was made in another way, which has arrived.
  void answered_unary(std::unique_ptr<exchange, exchange::destroy> by) noexcept;
  virtual call_extras* reply_extras() noexcept = 0;

  enum class place : std::uint8_t { caller, waiting, held, sent, unary, back };
  place at = place::caller;
  std::uint64_t serial = 0;          // without gaps: when it was started, among those of its outlet
  std::uint64_t id = 0;              // sent: on the stream
  session_wire* wire = nullptr;      // sent: the stream
  unary_attempt* attempt = nullptr;  // unary: null while it waits for its key
  session_item* next = nullptr;      // in a list
  session_item* previous = nullptr;

 protected:
  ~session_item();

  // What the operation does, on the caller's worker.

  status depart(worker& home, time_point deadline) noexcept;
  /// It does not depart: a gap, of which the outlet has to know before the next call of the lane comes.
  void stays(worker& home) noexcept;
  void cancel() noexcept;
  /// In place of departing: it surely does not run. It is home later, not beneath this; on the polling worker.
  void come_back(worker& home, status why) noexcept;
  bool referenced() const noexcept { return order_ != nullptr; }
  /// False too as long as only the polling worker knows.
  bool surely_not_run() const noexcept { return (came_home_ || same_worker()) && not_run_; }
  status take_outcome() noexcept { return std::move(outcome_); }

 private:
  struct travel final : work {
    explicit travel(session_item& i) noexcept : item{i} {}
    void run() noexcept override { item.arrived(); }
    session_item& item;
  };
  struct calling_off;
  struct gap_told;

  /// Of a call that was answered, perhaps with an error (`from`).
  virtual status read_reply(std::string_view bytes) noexcept = 0;
  virtual status read_reply(std::unique_ptr<exchange, exchange::destroy> from) noexcept = 0;
  virtual void item_home() noexcept = 0;
  virtual void item_late() noexcept = 0;
  virtual void order_back() noexcept = 0;

  void expired() noexcept override { item_late(); }
  bool same_worker() const noexcept;
  void arrived() noexcept;
  void go_home() noexcept;

  const std::shared_ptr<session_outlet> to_;
  const method_info& method_;
  const session_order order_of_;
  worker* home_ = nullptr;
  time_point deadline_ = never;
  payload request_;
  status outcome_;  // why it does not begin; then how it ended
  travel travel_{*this};
  calling_off* order_ = nullptr;  // while it is out
  bool not_run_ = false;
  bool came_home_ = false;  // the caller's
};

}  // namespace detail
}  // namespace weft
