#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <semaphore>
#include <unordered_map>
#include <vector>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/rpc/session/item_list.hpp>
#include <weft/rpc/session/key_lineup.hpp>
#include <weft/rpc/session/session_item.hpp>
#include <weft/runtime/timer_wheel.hpp>
#include <weft/runtime/work.hpp>

namespace weft::detail {

class session_line;

/// The client's side of a session, on the polling worker: which stream there is, what waits for one, when to connect again,
/// and unary calls for servers without sessions. Streams themselves are `session_line`s; of `most_lines` that are alive one is
/// the current, the others only wait for their last answers.
///
/// Calls of a key that is out on an older line are held back until its answers have come: elsewhere they could overtake it.
class session_core final : public session_outlet,
                           public std::enable_shared_from_this<session_core>,
                           outgoing_call,
                           timer {
 public:
  session_core(std::shared_ptr<channel> to, session_options options);
  ~session_core();

  status start(session_item& item) noexcept override;
  bool give_up(session_item& item) noexcept override;
  void gap(std::uint64_t key) noexcept override { stop_behind(key, ++started_); }
  void resume(std::uint64_t key) noexcept override;

  const std::shared_ptr<channel>& to() const noexcept { return channel_; }
  const session_options& options() const noexcept { return options_; }
  session_state state() const noexcept { return state_.load(std::memory_order_relaxed); }

  key_lineup& lineup() noexcept { return lineup_; }

  /// Everything ends. On the polling worker.
  void close() noexcept;
  /// From any thread, when close cannot be awaited.
  void close_later(std::shared_ptr<session_core> self) noexcept;
  /// No line is left: released once, after `close`.
  std::binary_semaphore& over() noexcept { return over_; }

  // What lines say.

  void line_open(session_line& line) noexcept;
  void window_opened(session_line& line) noexcept;
  void returned(session_item& item) noexcept;
  void line_goes(session_line& line) noexcept;
  void key_answered(std::uint64_t key) noexcept;
  /// A call that was sent has not run.
  void gap_sent(std::uint64_t key) noexcept { stop_behind(key, 0); }
  /// The stream has ended. What was sent on it comes back as `unanswered`.
  struct line_end {
    status why;
    item_list unanswered;
    bool attached;                    ///< It had worked.
    bool not_run;                     ///< Nothing that was sent on it has run.
    bool no_sessions;                 ///< The server does not know the method.
    bool broke_rule;                  ///< The server said what it must not, and `why` tells what.
    std::vector<std::uint64_t> keys;  ///< Of the calls that were out, if it was going away.
  };
  void line_ended(session_line& line, line_end end) noexcept;
  /// Nothing refers to the line any more.
  void line_gone(session_line& line) noexcept;

 private:
  friend unary_attempt;

  struct closer final : work {
    void run() noexcept override;
    std::shared_ptr<session_core> core;
  };

  // A key whose calls are out on lines that go away, and what waits for that.
  struct held_key {
    std::size_t out = 0;
    item_list items;
  };

  void set(session_state s) noexcept { state_.store(s, std::memory_order_relaxed); }
  void connect() noexcept;
  void wait_for_turn(session_item& item) noexcept;
  void no_longer_waits(session_item& item) noexcept;
  void put_first(item_list items) noexcept;
  bool holds(const session_item& item) const noexcept {
    return !held_.empty() && item.order().key != 0 && held_.contains(item.order().key);
  }
  void hold(session_item& item) noexcept;
  item_list let_go(std::uint64_t key) noexcept;
  void connect_again(session_line& before) noexcept;
  void back_off() noexcept;
  void send_waiting() noexcept;
  void stop_behind(std::uint64_t key, std::uint64_t serial) noexcept;
  void stop_behind(const session_item& item) noexcept {
    if (item.order().gapless) stop_behind(item.order().key, item.serial);
  }
  bool stopped(const session_item& item) const noexcept;
  void fail_stopped(item_list& list, std::uint64_t key) noexcept;
  void start_unary(session_item& item) noexcept;
  status begin_unary(session_item& item) noexcept;
  void unary_ended(std::uint64_t key) noexcept;
  void fail(session_item& item, status why, bool may_have_run) noexcept;
  void fail_waiting(const status& why, bool also_patient, bool only_keyed) noexcept;
  void expired() noexcept override;
  void cancel_for_shutdown() noexcept override { close(); }

  const std::shared_ptr<channel> channel_;
  const session_options options_;
  std::atomic<session_state> state_{session_state::idle};
  session_line* current_ = nullptr;
  std::vector<session_line*> lines_;  // with the current one
  item_list waiting_;
  item_list returned_;  // while a stream says that it goes away
  std::unordered_map<std::uint64_t, held_key> held_;
  std::size_t held_back_ = 0;
  bool registered_ = false;  // at the queue, while something waits
  bool closed_ = false;
  bool unary_ = false;
  status last_error_;
  duration backoff_;
  int useless_lines_ = 0;  // in a row that have answered nothing
  time_point not_before_ = time_point::min();
  // The keys without gaps that stand still, and the serial of the call that has not run: those that were started before it go
  // on, those behind it fail when it is their turn.
  std::unordered_map<std::uint64_t, std::uint64_t> stopped_keys_;
  std::uint64_t started_ = 0;  // the last serial
  key_lineup lineup_;
  // The keys that have a unary call out, and what waits for it.
  std::unordered_map<std::uint64_t, item_list> unary_lanes_;
  item_list unary_out_;
  closer closer_;
  std::binary_semaphore over_{0};
};

}  // namespace weft::detail
