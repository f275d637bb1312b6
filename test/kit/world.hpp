#pragma once
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/task.hpp>
#include <weft/test/random.hpp>
#include <weft/test/seeded_order.hpp>

namespace weft::test {

struct world_options {
  /// 0: strands and timers in their plain order. Any other: in one drawn from it, always the same.
  std::uint64_t seed = 0;
  /// Writes down what runs: see `world::trace`.
  bool trace = false;
  /// Virtual time after which `run` takes a task for one that hangs, though timers go on (a service that ticks).
  duration patience = std::chrono::hours{24};
  /// See `runtime_options::log`.
  log_sink log{};
};

/// Nothing is left that could end a task; `what()` lists what everything waits for.
class hang : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

// What the runtime refers to, hence made before it.
struct world_parts {
  explicit world_parts(const world_options& o) noexcept : order{o.seed, o.trace, clock} {}
  manual_clock clock;
  seeded_order order;
};

}  // namespace detail

/// A runtime for tests: no threads, and a clock that stands still while there is work and jumps to the next timer when there
/// is none. So a minute's time limit is tested in microseconds, and the same seed gives the same run, entry by entry.
///
///     weft::test::world w;
///     table t{w};
///     auto reply = w.run(play(t));      // a task; time passes as it needs it
///     w.advance(15s);                   // what is due in the next 15 s happens
///     CHECK(peek(t, [&] { return t.turn(); }) == 2);
///
/// Use it on one thread. Services and strands made on it are destroyed before it, as with every runtime. What blocks until
/// something has happened (`stop_and_wait`) lets no time pass: where that has to, `w.run(table.stop())`.
class world : protected detail::world_parts, public weft::runtime {
 public:
  explicit world(world_options options = {});

  /// Runs `t` as a task on the runtime's own strand, to its end, and returns what it yields; rethrows what it throws.
  /// Throws `hang`, after stopping the task, when nothing is left that could end it. Not on a worker.
  template <class T>
  T run(task<T> t);

  /// Runs all that can happen without time going on. Throws `hang` when there is no end to it.
  void settle();
  /// Lets `by` pass: what is due by then happens at its time, and the clock stands at the end of it.
  void advance(duration by);

  time_point now() const noexcept { return clock.now(); }
  std::uint64_t seed() const noexcept { return seed_; }
  /// For the test's own choices, from the same seed; independent of the order.
  class random& random() noexcept { return random_; }

  /// What ran, a line each: virtual time since the beginning, strand, task or method, what it had waited for.
  ///
  ///     15000.000 ms table: /lobby.v1.Wallet/Reserve call
  ///
  /// Names, no addresses: equal seeds give equal text, byte for byte. Empty without `world_options::trace`.
  const std::string& trace() const noexcept { return order.trace(); }

 private:
  /// Makes one pump; returns when the next timer is due, or a time in the past when there is more to do at once.
  time_point step();
  void drive(context& root, const std::function<bool()>& done);
  [[noreturn]] void give_up(context& root, const std::function<bool()>& done, const char* why);

  std::uint64_t seed_;
  duration patience_;
  class random random_;
  unsigned standing_ = 0;  // pumps since the clock moved
};

template <class T>
T world::run(task<T> t) {
  weft::detail::refuse_to_block_worker();
  weft::detail::waited<T> root{control(), nullptr, "test"};
  if (!root.start(std::move(t))) misuse("weft::test::world::run after the world was stopped: make another one");
  drive(root.own_context(), [&root] { return root.done(); });
  return root.take();
}

}  // namespace weft::test
