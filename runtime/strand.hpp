#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <weft/runtime/status.hpp>
#include <weft/runtime/work.hpp>

namespace weft {

class runtime;
class worker;

struct strand_options {
  const char* name = "strand";   ///< Shown in dumps, logs and misuse messages; must outlive the strand.
  std::uint32_t limit = 65'536;  ///< Messages that may be queued; one more is refused.
  int worker = -1;               ///< Index of the home worker; -1: the first, which polls I/O.
};

/// A serial executor: what runs on it runs one after the other, in the order it was posted, on its home worker. What a
/// timer resumes goes before the rest, of which it leaves one in `most_due_in_a_row` + 1: it is late already, and a flood
/// of other work must not make it later.
///
/// Two kinds of entries. *Messages* are new work from outside: counted, refused when `limit` are queued or the strand is
/// closed. *Resumptions* continue work that was admitted before: always accepted, never counted.
/// A strand with much to do yields to its worker's other strands after `batch` entries. Posting is possible from any
/// thread; from the home worker it touches no atomic. Nothing posted runs before the poster returns to its worker.
///
/// Must outlive what it was given; its destructor may be called on the home worker, or on a thread that is no worker
/// (it then waits for the worker to let go of it).
class strand {
 public:
  /// Entries run before the strand goes to the end of its worker's queue.
  static constexpr int batch = 64;
  /// What timers resume goes before the rest so many times in a row, then one of the rest has its turn.
  static constexpr std::uint8_t most_due_in_a_row = 8;

  explicit strand(runtime& rt, strand_options options = {});
  explicit strand(weft::worker& home, strand_options options = {});
  ~strand();
  strand(const strand&) = delete;
  strand& operator=(const strand&) = delete;

  /// Queues a resumption. Any thread. False only when the worker is gone (the runtime ended): `w` stays the caller's.
  bool post(work& w) noexcept;

  /// Queues a message. On the home worker: RESOURCE_EXHAUSTED when full, UNAVAILABLE when closed, at once.
  /// From elsewhere the limit is not enforced here; services enforce theirs on arrival.
  status try_post(work& w) noexcept;

  /// Queues `f()` as a message; it must not throw (an exception ends the process: there is nobody to tell).
  template <std::invocable F>
  status try_post(F&& f);

  /// No more messages; resumptions go on. On the strand only.
  void close() noexcept { closed_ = true; }

  const char* name() const noexcept { return name_; }
  weft::worker& home() const noexcept { return home_; }
  /// True when the calling code runs on this strand.
  bool running_here() const noexcept;
  std::uint32_t queued_messages() const noexcept { return messages_; }
  /// Everything queued, resumptions too; counts at most `most`. On the home worker.
  std::size_t queued(std::size_t most) const noexcept;
  /// The strand whose turn is after this one's. On the home worker.
  const strand* next_ready() const noexcept { return next_ready_; }

 private:
  friend weft::worker;

  bool empty() const noexcept { return due_.head == nullptr && queue_.head == nullptr; }
  work& pop() noexcept {
    const bool turn_of_rest = due_in_a_row_ == most_due_in_a_row && queue_.head != nullptr;
    auto& from = due_.head != nullptr && !turn_of_rest ? due_ : queue_;
    if (&from == &queue_) {
      due_in_a_row_ = 0;
    } else if (due_in_a_row_ < most_due_in_a_row) {
      ++due_in_a_row_;
    }
    auto& w = *from.head;
    from.head = w.next;
    return w;
  }
  void enqueue(work& w) noexcept;  // on the home worker
  bool on_home() const noexcept;

  weft::worker& home_;
  const char* name_;
  struct list {
    work* head = nullptr;
    work* tail = nullptr;

    void push(work& w) noexcept {
      w.next = nullptr;
      (head == nullptr ? head : tail->next) = &w;
      tail = &w;
    }
  };
  list due_;  // posted by timers that expired: runs before the rest
  list queue_;
  std::uint8_t due_in_a_row_ = 0;
  strand* next_ready_ = nullptr;
  std::uint32_t messages_ = 0;
  std::uint32_t limit_;
  bool ready_ = false;  // in the worker's queue of strands, or being run
  bool closed_ = false;

  template <class F>
  struct posted;
};

static_assert(sizeof(strand) <= 128, "a player can afford a strand");

template <class F>
struct strand::posted final : work {
  explicit posted(F&& f) : function{std::move(f)} {}
  explicit posted(const F& f) : function{f} {}
  void run() noexcept override {
    auto f = std::move(function);
    delete this;
    f();
  }
  work_label label() const noexcept override { return {"", "function"}; }
  F function;
};

template <std::invocable F>
status strand::try_post(F&& f) {
  auto* message = new posted<std::decay_t<F>>{std::forward<F>(f)};
  auto outcome = try_post(static_cast<work&>(*message));
  if (!outcome.ok()) delete message;
  return outcome;
}

}  // namespace weft
