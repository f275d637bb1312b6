#pragma once
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>
#include <variant>
#include <weft/runtime/child.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

/// A case of `select`: the task is asked to stop. `select` without it yields CANCELLED then.
struct when_stopped_t {
  explicit when_stopped_t() = default;
};
inline constexpr when_stopped_t when_stopped{};

namespace detail {

/// One wait for several things. The first whose turn comes decides, for good and at once, beneath whoever caused it: it
/// takes its value then, the others are unlinked in the same breath. So nobody else can have the value, and no other case
/// takes one. Children (see below) are stopped then, and awaited before the task resumes.
class selection : protected wait {
 public:
  /// A case has what it waited for. Once.
  void decided(std::size_t index) noexcept;
  void child_started() noexcept { ++children_; }
  void child_ended(std::size_t index) noexcept;

 protected:
  static constexpr std::size_t undecided = static_cast<std::size_t>(-1);

  /// `if_stopped`: who wins when the task is stopped.
  explicit selection(std::size_t if_stopped) noexcept : wait{"select"}, if_stopped_{if_stopped} {}
  ~selection() = default;

  virtual void disarm_all_but(std::size_t winner) noexcept = 0;

  std::size_t winner_ = undecided;
  const std::size_t if_stopped_;

 private:
  void on_stop() noexcept override;
  std::size_t children_ = 0;
};

// What every kind of case offers:
//   bool try_take(context&)              has it what it waits for? Then takes it.
//   void arm(selection&, index, context&)  registers it; `selection::decided(index)` follows, once it has taken what came.
//   void disarm()                        undoes `arm`; nothing was taken.
//   void drop()                          it was never armed and will not be.
//   value take()                         what was taken. May throw what a task threw.

template <class T>
class select_case<queue<T>> final : listed {
 public:
  using value = std::optional<T>;
  explicit select_case(queue<T>& q) noexcept : queue_{q} {}

  bool try_take(context&) noexcept {
    if (queue_.values_.empty() && !queue_.closed_) return false;
    value_ = queue_.try_pop();
    return true;
  }
  void arm(selection& s, std::size_t index, context&) noexcept {
    whole_ = &s;
    index_ = index;
    queue_.values_wanted_.add(*this);
  }
  void disarm() noexcept { unlist(); }
  void drop() noexcept {}
  value take() { return std::move(value_); }

 private:
  // A value is there, or the queue is closed.
  void woken() noexcept override {
    value_ = queue_.try_pop();
    whole_->decided(index_);
  }
  queue<T>& queue_;
  selection* whole_ = nullptr;
  std::size_t index_ = 0;
  value value_;
};

template <>
class select_case<event> final : listed {
 public:
  using value = std::monostate;
  explicit select_case(event& e) noexcept : event_{e} {}

  bool try_take(context&) noexcept { return event_.is_set(); }
  void arm(selection& s, std::size_t index, context&) noexcept {
    whole_ = &s;
    index_ = index;
    event_.waiters_.add(*this);
  }
  void disarm() noexcept { unlist(); }
  void drop() noexcept {}
  value take() noexcept { return {}; }

 private:
  void woken() noexcept override { whole_->decided(index_); }
  event& event_;
  selection* whole_ = nullptr;
  std::size_t index_ = 0;
};

template <>
class select_case<sleep> final : timer {
 public:
  using value = std::monostate;
  explicit select_case(sleep s) noexcept : sleep_{s} {}

  bool try_take(context& ctx) noexcept {
    if (sleep_.how_long_ != duration::min()) return sleep_.how_long_ <= duration::zero();
    return sleep_.until_ != never && sleep_.until_ <= ctx.home().home().read_clock();
  }
  void arm(selection& s, std::size_t index, context& ctx) noexcept {
    whole_ = &s;
    index_ = index;
    auto& home = ctx.home().home();
    const bool relative = sleep_.how_long_ != duration::min();
    const auto until = relative ? saturating_add(home.read_clock(), sleep_.how_long_) : sleep_.until_;
    if (until != never) home.timers().arm(*this, until);
  }
  void disarm() noexcept { cancel(); }
  void drop() noexcept {}
  value take() noexcept { return {}; }

 private:
  void expired() noexcept override { whole_->decided(index_); }
  sleep sleep_;
  selection* whole_ = nullptr;
  std::size_t index_ = 0;
};

template <>
class select_case<when_stopped_t> {
 public:
  using value = std::monostate;
  explicit select_case(when_stopped_t) noexcept {}

  bool try_take(context& ctx) noexcept { return ctx.stopped(); }
  void arm(selection&, std::size_t, context&) noexcept {}  // `selection::on_stop` knows it
  void disarm() noexcept {}
  void drop() noexcept {}
  value take() noexcept { return {}; }
};

template <class T>
class select_case<started<T>> final : listed {
 public:
  using value = value_or_monostate<T>;
  explicit select_case(started<T>& s) noexcept : child_{*s.child_} {}

  bool try_take(context&) noexcept { return child_.has_ended(); }
  void arm(selection& s, std::size_t index, context&) noexcept {
    whole_ = &s;
    index_ = index;
    child_.joiners().add(*this);
  }
  void disarm() noexcept { unlist(); }
  void drop() noexcept {}
  value take() {
    if constexpr (std::is_void_v<T>) {
      child_.take();
      return {};
    } else {
      return child_.take();
    }
  }

 private:
  void woken() noexcept override { whole_->decided(index_); }
  scope_child<T>& child_;
  selection* whole_ = nullptr;
  std::size_t index_ = 0;
};

// Any other awaitable runs as a child of the selecting task, from the moment at which nothing is ready.
template <class A>
class select_case {
  using T = await_result_t<A>;

 public:
  using value = value_or_monostate<T>;
  explicit select_case(A&& awaitable) noexcept : awaitable_{std::move(awaitable)} {}

  bool try_take(context&) noexcept { return false; }
  void arm(selection& s, std::size_t index, context& ctx) noexcept {
    s.child_started();
    child_.emplace(s, index, ctx);
    child_->start(as_task(std::move(awaitable_)));
  }
  void disarm() noexcept { child_->own_context().stop(); }
  void drop() noexcept { discard(awaitable_); }
  value take() {
    if constexpr (std::is_void_v<T>) {
      child_->take();
      return {};
    } else {
      return child_->take();
    }
  }

 private:
  class part final : public child<T> {
   public:
    part(selection& whole, std::size_t index, context& parent) noexcept
        : child<T>{parent.home(), &parent, "select case"}, whole_{whole}, index_{index} {}

   private:
    void ended() noexcept override { whole_.child_ended(index_); }
    selection& whole_;
    std::size_t index_;
  };

  A awaitable_;
  std::optional<part> child_;
};

}  // namespace detail
}  // namespace weft
