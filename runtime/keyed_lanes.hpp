#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

struct keyed_lanes_options {
  std::size_t keys = 65'536;     ///< Keys that may have jobs at a time.
  std::size_t limit = 64;        ///< Jobs of one key that may wait behind the one that runs.
  std::size_t waiting = 65'536;  ///< Jobs of all keys that may wait.
  const char* name = "keyed lanes";
};

namespace detail {

// One key's: a job runs, the others wait.
struct key_lane {
  std::list<task<>> jobs;
  bool busy = false;
};

// What does not depend on the type of the key.
class key_lanes {
 public:
  key_lanes(scope& s, keyed_lanes_options o) noexcept : owner{s}, options{o} {}
  ~key_lanes() = default;

  /// Null: the key has no lane yet.
  status admit(const key_lane* lane, std::size_t keys);
  void enqueue(key_lane& lane, task<> job);
  /// False when the lane has nothing left: forget it.
  bool start_next(key_lane& lane);

  scope& owner;
  keyed_lanes_options options;
  std::list<task<>> spare;  // empty places for jobs, so that waiting need not allocate
  std::size_t waiting = 0;
  std::size_t running = 0;
  std::uint64_t started = 0;
  std::uint64_t dropped = 0;
  std::uint64_t refused = 0;

 private:
  status full(std::size_t count, const char* of_what);
  task<> take_oldest(key_lane& lane) noexcept;
};

}  // namespace detail

/// A lane for each key (a room, a player): jobs of one key run one after the other, in the order given; different keys
/// overlap. A lane is made when its key's first job comes and forgotten when the last has ended, so keys cost only
/// while they have jobs.
///
/// `run` never suspends. Handles are cheap copies of one set of lanes, which belongs to its scope and ends with it; jobs
/// that have not started when the scope is stopped are dropped and counted. On the scope's strand only.
/// Order holds for what shares a key: by method, a player's Join and Play can still swap; by player or room they cannot.
template <class Key, class Hash = std::hash<Key>>
class keyed_lanes {
 public:
  explicit keyed_lanes(scope& owner, keyed_lanes_options options = {})
      : state_{std::make_shared<state>(owner, options)} {}

  /// Runs `f(args...)`, a coroutine, when the earlier jobs of `key` have ended. Keeps copies of what it is given.
  /// Errors: RESOURCE_EXHAUSTED (too many keys, or jobs waiting), CANCELLED (the scope is stopped).
  template <class F, class... Args>
  status run(const Key& key, F f, Args... args) {
    auto& s = *state_;
    auto at = s.lanes.find(key);
    const bool found = at != s.lanes.end();
    if (auto full = s.admit(found ? &at->second : nullptr, s.lanes.size()); !full.ok()) return full;
    if (!found) at = s.lanes.try_emplace(key).first;
    s.enqueue(at->second, take_turn(turn{state_, &*at}, std::move(f), std::move(args)...));
    return {};
  }

  /// Keys that have jobs.
  std::size_t keys() const noexcept { return state_->lanes.size(); }
  std::size_t waiting() const noexcept { return state_->waiting; }
  std::size_t running() const noexcept { return state_->running; }
  std::uint64_t started() const noexcept { return state_->started; }
  std::uint64_t dropped() const noexcept { return state_->dropped; }
  std::uint64_t refused() const noexcept { return state_->refused; }

 private:
  using map = std::unordered_map<Key, detail::key_lane, Hash>;
  struct state : detail::key_lanes {
    using detail::key_lanes::key_lanes;
    map lanes;
  };
  // Starts the key's next job however this one ends.
  struct turn {
    turn(std::shared_ptr<state> s, typename map::value_type* e) noexcept : lanes{std::move(s)}, entry{e} {}
    std::shared_ptr<state> lanes;
    typename map::value_type* entry;  // stays where it is until it is erased
  };
  struct end_of_turn {
    explicit end_of_turn(turn& t) noexcept : mine{t} {}
    end_of_turn(const end_of_turn&) = delete;
    ~end_of_turn() {
      --mine.lanes->running;
      if (!mine.lanes->start_next(mine.entry->second))
        mine.lanes->lanes.erase(mine.lanes->lanes.find(mine.entry->first));
    }
    turn& mine;
  };

  // One frame for a job and the copies of its arguments.
  template <class F, class... Args>
  static task<> take_turn(turn mine, F f, Args... args) {
    const end_of_turn at_the_end{mine};
    static_cast<void>(co_await std::invoke(f, std::move(args)...));
  }

  std::shared_ptr<state> state_;
};

}  // namespace weft
