#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/status.hpp>

namespace weft {

/// What a lane does with one more while as many run as may.
enum class when_full : std::uint8_t {
  refuse,       ///< `run` returns RESOURCE_EXHAUSTED; the newcomer is not run.
  drop_oldest,  ///< The oldest that has not started is dropped, and counted.
  latest,  ///< Only the newest is of interest: it replaces what waits, which is dropped and counted. `limit` is as 1.
};
inline constexpr auto refuse = when_full::refuse;
inline constexpr auto drop_oldest = when_full::drop_oldest;
inline constexpr auto latest = when_full::latest;

struct lane_options {
  std::size_t limit = 64;  ///< Jobs that may wait behind those that run.
  weft::when_full when_full = weft::when_full::refuse;
  std::size_t width = 1;  ///< Jobs that may run at a time, at least 1. 1: serial, in order.
  const char* name = "lane";
};

/// An ordered queue of coroutines in a scope: jobs of one lane start in the order given, at most `width` at a time; lanes
/// of one scope overlap. So a slow chat server delays no card command, and card commands never overtake each other.
///
/// `run` never suspends: the reader goes on reading. Handles are cheap copies of one lane, which belongs to its scope and
/// ends with it; jobs that have not started when the scope is stopped are dropped and counted. On the scope's strand only.
class lane {
 public:
  explicit lane(scope& owner, lane_options options = {});

  /// Runs `f(args...)`, a coroutine, when it is its turn. Keeps copies of what it is given.
  /// Errors: RESOURCE_EXHAUSTED (full and told to refuse), CANCELLED (the scope is stopped).
  template <class F, class... Args>
  status run(F f, Args... args) {
    if (auto s = admit(); !s.ok()) return s;
    enqueue(take_turn(state_, std::move(f), std::move(args)...));
    return {};
  }

  std::size_t waiting() const noexcept { return state_->jobs.size(); }
  std::size_t running() const noexcept { return state_->running; }
  std::uint64_t started() const noexcept { return state_->started; }
  std::uint64_t dropped() const noexcept { return state_->dropped; }
  std::uint64_t refused() const noexcept { return state_->refused; }

 private:
  struct state {
    state(scope& s, lane_options o) noexcept : owner{s}, options{o} {}
    void start_next();
    void drop_oldest() noexcept;

    scope& owner;
    lane_options options;
    std::deque<task<>> jobs;
    std::size_t running = 0;
    std::uint64_t started = 0;
    std::uint64_t dropped = 0;
    std::uint64_t refused = 0;
  };
  // Starts the next one however the job ends.
  struct turn {
    std::shared_ptr<state> lane;
    ~turn();
  };

  // One frame for a job and the copies of its arguments.
  template <class F, class... Args>
  static task<> take_turn(std::shared_ptr<state> lane, F f, Args... args) {
    turn mine{std::move(lane)};
    static_cast<void>(co_await std::invoke(f, std::move(args)...));
  }

  status admit() noexcept;
  void enqueue(task<> job);

  std::shared_ptr<state> state_;
};

}  // namespace weft
