#pragma once
#include <cassert>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/frame_pool.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/wait_list.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

/// A bounded first-in-first-out channel from the coroutines of one worker to those of another, or of the same. Made shared;
/// each end is used on its own worker, once `connect` has named both.
///
/// Between the workers only messages pass, in order, and every field has one owner:
///   1. a write takes one of `limit` places and sends the value to the reading worker; without a place it waits.
///   2. the reading worker, when half of the places have been read, sends them back. A place that comes back goes to the
///      writer that has waited longest, so nobody overtakes it.
///   3. `end` follows the values. `refuse` goes the other way: who writes is told that nobody reads any more.
/// Each message keeps the pipe alive, so either end may go first. On one worker the messages are function calls.
template <class T>
class pipe : public std::enable_shared_from_this<pipe<T>> {
 public:
  enum class opened { at_once, by_reader };

  /// Requires: limit > 0. Opened by its reader, it has no place before `open`.
  explicit pipe(std::size_t limit, opened by = opened::at_once) noexcept
      : limit_{limit}, room_{by == opened::at_once ? limit : 0} {}

  /// Before anything else.
  void connect(worker& from, worker& to) noexcept {
    from_ = &from;
    to_ = &to;
  }

  // The writing end.

  /// `co_await p.write(value)`: waits for a place; it then waits to be read. Writers that wait go on in the order in which
  /// they came. Errors: CANCELLED (the task was stopped), FAILED_PRECONDITION (ended), or what the pipe was cut or refused
  /// with; the value is lost then.
  task<status> write(T value) {
    if (auto s = co_await reserve(); !s.ok()) co_return s;
    co_return fill(std::move(value));
  }
  /// Waits for a place, which `fill` uses: what `write` does in two steps. Errors: as `write`.
  task<status> reserve() {
    must_be_at(from_);
    auto s = open_to_writers();
    if (!s.ok()) co_return s;
    if (room_ != 0) {
      --room_;
      co_return s;
    }
    s = co_await waiting{room_wanted_, "stream write"};
    co_return s.ok() ? open_to_writers() : s;  // a place was handed over, but that may be some time ago
  }
  /// Requires: `reserve` was ok, and nobody has filled that place. UNAVAILABLE when the other worker has ended.
  status fill(T value) { return send(std::move(value)) ? status{} : unavailable("the runtime has ended"); }
  /// No more values: readers get what was written, then the end. Idempotent.
  void end() {
    if (std::exchange(ended_, true)) return;
    room_wanted_.wake_all();
    send(std::nullopt);
  }
  /// Writes fail from now on, with `why`; those that wait too.
  void cut(status why) noexcept {
    assert(!why.ok());
    if (cut_.ok()) cut_ = std::move(why);
    room_wanted_.wake_all();
  }

  // The reading end.

  /// There are places from now on, where it was made to wait for that. Once.
  void open() { give_back_later(limit_); }

  /// `co_await p.read()`: the oldest value; empty at the end, and when the task was stopped.
  task<std::optional<T>> read() {
    must_be_at(to_);
    while (values_.empty() && !complete_) {
      if (auto s = co_await waiting{values_wanted_, "stream read"}; !s.ok()) co_return std::nullopt;
    }
    if (values_.empty()) co_return std::nullopt;
    std::optional<T> value{std::move(values_.front())};
    values_.pop_front();
    give_back();
    co_return value;
  }
  /// Readers get what has arrived, then the end, whatever the writing end does.
  void close() noexcept {
    complete_ = true;
    values_wanted_.wake_all();
  }
  /// What has arrived and what comes is dropped, and the writing end cut, with `why`.
  void refuse(status why) {
    values_.clear();
    const bool told = std::exchange(refusing_, true) || end_arrived_;
    close();
    if (!told) carry(*new note{this->shared_from_this(), 0, std::move(why)}, from_);
  }
  /// What has arrived and what comes is dropped; who writes does not notice.
  void discard() {
    discarding_ = true;
    for (; !values_.empty(); values_.pop_front()) give_back();
  }
  /// The end has been reached, and not by `close`.
  bool ended_by_writer() const noexcept { return end_arrived_ && values_.empty(); }

 private:
  struct parcel final : work, pooled {
    parcel(std::shared_ptr<pipe> p, std::optional<T> v) noexcept : to{std::move(p)}, value{std::move(v)} {}
    void run() noexcept override {
      to->arrived(std::move(value));
      delete this;
    }
    std::shared_ptr<pipe> to;
    std::optional<T> value;  // none: the end
  };
  struct note final : work, pooled {
    note(std::shared_ptr<pipe> p, std::size_t r, status w) noexcept : to{std::move(p)}, room{r}, why{std::move(w)} {}
    void run() noexcept override {
      to->came_back(room);
      if (!why.ok()) to->cut(std::move(why));
      delete this;
    }
    std::shared_ptr<pipe> to;
    std::size_t room;
    status why;
  };
  class awaiter final : listed_wait {
   public:
    awaiter(wait_list& list, const char* what) noexcept : listed_wait{what}, list_{list} {}
    bool await_ready() const noexcept { return false; }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return list_.wait_in(*this, h, h.promise().ctx(), __builtin_return_address(0));
    }
    status await_resume() const { return stopped() ? cancelled("stopped while waiting for a stream") : status{}; }

   private:
    wait_list& list_;
  };
  struct waiting {
    wait_list& list;
    const char* what;
    awaiter operator co_await() const noexcept { return {list, what}; }
  };

  // Whoever pumps a runtime may do as its worker.
  static void must_be_at([[maybe_unused]] const worker* end) noexcept {
    assert((end == nullptr || worker::current() == end || !end->threaded()) &&
           "a stream was used on a worker that is not its end's");
  }
  status open_to_writers() const {
    if (!cut_.ok()) return cut_;
    return ended_ ? failed_precondition("nothing can be written after the end of the stream") : status{};
  }

  // False when the other worker is gone.
  template <class Message>
  bool carry(Message& m, worker* there) noexcept {
    if (from_ == to_) {
      m.run();
      return true;
    }
    if (there->submit(m)) return true;
    delete &m;
    return false;
  }
  bool send(std::optional<T> value) {
    if (from_ == to_) {
      arrived(std::move(value));
      return true;
    }
    return carry(*new parcel{this->shared_from_this(), std::move(value)}, to_);
  }
  void arrived(std::optional<T> value) noexcept {
    if (!value) {
      end_arrived_ = true;
      return close();
    }
    if (refusing_ || complete_) return;
    if (discarding_) return give_back();
    values_.push_back(std::move(*value));
    if (auto* w = values_wanted_.pop()) wait_list::wake(*w);
  }
  // Values that are dropped come back as if from afar: a writer that never waits would never let its worker go on.
  void give_back() {
    if (from_ == to_ && !discarding_) return came_back(1);
    if (++read_ >= (limit_ + 1) / 2) give_back_later(std::exchange(read_, 0));
  }
  void give_back_later(std::size_t places) {
    auto* n = new note{this->shared_from_this(), places, {}};
    if (!from_->submit(*n)) delete n;
  }
  void came_back(std::size_t places) noexcept {
    for (; places != 0; --places) {
      auto* w = room_wanted_.pop();
      if (w == nullptr) break;
      wait_list::wake(*w);  // the place is its now
    }
    room_ += places;
  }

  const std::size_t limit_;
  worker* from_ = nullptr;
  worker* to_ = nullptr;
  // The writing worker's.
  std::size_t room_;
  bool ended_ = false;
  status cut_;
  wait_list room_wanted_;
  // The reading worker's.
  std::deque<T> values_;
  std::size_t read_ = 0;  // places not yet sent back
  bool complete_ = false;
  bool end_arrived_ = false;
  bool refusing_ = false;
  bool discarding_ = false;
  wait_list values_wanted_;
};

}  // namespace weft
