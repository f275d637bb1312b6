#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <weft/runtime/event.hpp>
#include <weft/runtime/mutex.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

class io;
class scope;
class strand;

/// Who is told at once what a link hears, in its order; on the link's strand. It must not wait, and not end the link inline:
/// it may stop the task that runs it.
class gate_listener {
 public:
  /// A message that answers nothing. It does not go to the link's queue of events.
  virtual void heard(std::string message) = 0;
  /// It is connected and has greeted.
  virtual void opened() = 0;
  /// It is not connected, and tries to be: once after each time that it was, and once when the first attempt failed.
  virtual void lost(const status& why) = 0;

 protected:
  ~gate_listener() = default;
};

struct gate_link_options {
  duration connect_within = std::chrono::seconds{5};  ///< Each attempt.
  duration first_wait =
      std::chrono::milliseconds{100};  ///< Between two attempts; doubled each time, and half of it random.
  duration longest_wait = std::chrono::seconds{5};
  std::size_t commands = 256;  ///< That may be without an answer; one more is refused.
  std::size_t events = 1'024;  ///< That may wait to be taken; the oldest make room.
  link_options connection{};
  gate_listener* listener = nullptr;  ///< Outlives `run`.
};

/// A player's connection to a gate, made again whenever it breaks: numbered commands and their answers, and events. Needs
/// no gRPC and no protobuf: messages are bytes that the program encodes and reads by whatever it has.
///
/// Belongs to the worker of the strand it was made with. Must outlive `run` and whoever waits in it.
class gate_link {
 public:
  static constexpr duration default_within = std::chrono::seconds{5};

  /// What a greeting talks by: commands that go out before everybody else's.
  class line {
   public:
    /// As `gate_link::ask`.
    task<result<std::string>> ask(std::string command, duration within = default_within);

   private:
    friend gate_link;
    explicit line(gate_link& owner) noexcept : owner_{owner} {}
    gate_link& owner_;
  };
  using greeting = std::function<task<status>(line&)>;

  gate_link(io& sockets, strand& home, std::string address, gate_link_options options = {});
  gate_link(const gate_link&) = delete;
  gate_link& operator=(const gate_link&) = delete;

  /// Keeps the connection until the task is stopped (CANCELLED): connects, greets (logs in), lets commands out, connects
  /// again. Once at a time. A greeting that fails with UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED or ABORTED is
  /// tried again; another error of it ends this with that error, as does an address that is none (INVALID_ARGUMENT).
  task<status> run(greeting greet = {});

  /// Sends a command with the next number and yields the message that answers it, whole. Waits for the connection first.
  /// The order in which they are asked is that in which they are sent.
  /// Errors: what the gate answered; DEADLINE_EXCEEDED; UNAVAILABLE (the connection broke after it was sent: it may have
  /// run, and is not sent again); RESOURCE_EXHAUSTED (too many without an answer, or too large a queue of bytes: it was not
  /// sent); CANCELLED. `sent`, if it is not null, becomes true when the command goes out: until then it surely has not run.
  task<result<std::string>> ask(std::string command, duration within = default_within, bool* sent = nullptr);

  /// The next event, in the gate's order; empty when the task was stopped. Those that came before a break are kept.
  task<std::optional<std::string>> event() { return events_.pop(); }
  /// One that is there, without waiting: for a loop that looks once a frame.
  std::optional<std::string> poll_event() { return events_.try_pop(); }

  /// True while commands go out at once.
  bool connected() const noexcept { return open_.is_set(); }
  /// How often it connected and greeted.
  std::uint64_t connections() const noexcept { return connections_; }
  std::uint64_t dropped_events() const noexcept { return dropped_events_; }
  /// Why it is not connected; ok before the first attempt has failed, and while it is.
  const status& trouble() const noexcept { return trouble_; }

 private:
  struct question {
    weft::event answered;
    result<std::string> answer = cancelled("stopped while waiting for the gate");
  };

  task<status> talk(const greeting* greet, scope& all);
  task<status> listen();
  status hear(std::string message);
  task<result<std::string>> ask_when_open(std::string command, bool* sent);
  task<result<std::string>> ask_now(std::string command, bool* sent);
  void tell_lost();

  io& sockets_;
  strand& home_;
  const std::string address_;
  const gate_link_options options_;
  std::unique_ptr<link> link_;
  weft::event open_;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, question*> questions_;
  std::size_t unanswered_ = 0;
  queue<std::string> events_;
  std::uint64_t connections_ = 0;
  std::uint64_t dropped_events_ = 0;
  status trouble_;
  bool listening_ = false;
  bool told_lost_ = false;
};

/// Commands that follow each other: each goes out when the one before it was answered. Lanes of one link overlap, so a slow
/// chat delays no card. Must outlive who waits in it.
class gate_lane {
 public:
  explicit gate_lane(gate_link& over) noexcept : over_{over} {}

  /// As `gate_link::ask`; the time runs from now, also while others are before it.
  task<result<std::string>> ask(std::string command, duration within = gate_link::default_within, bool* sent = nullptr);

 private:
  task<result<std::string>> ask_in_turn(std::string command, duration within, bool* sent);

  gate_link& over_;
  mutex turn_;
};

}  // namespace weft
