#pragma once
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/work.hpp>

namespace weft {

class fair_scheduler;

namespace detail {

// A queue in its scheduler.
struct scheduled_queue {
  fair_scheduler* owner;  // null once the queue has left
  void* queue;
  bool (*ready)(const void*);
  void (*run_one)(void*);
  unsigned weight;
  unsigned turns_left;
  bool listed = false;  // has work, so it takes turns
};

}  // namespace detail

/// What a queue calls to say that it has work. Does nothing once the queue has left its scheduler.
class ready_signal {
 public:
  ready_signal() noexcept = default;
  explicit ready_signal(std::weak_ptr<detail::scheduled_queue> queue) noexcept : queue_{std::move(queue)} {}
  /// On the scheduler's worker only: what comes from elsewhere is posted to its strand first. Cheap when it was raised
  /// already; never runs anything itself.
  void raise() const noexcept;

 private:
  std::weak_ptr<detail::scheduled_queue> queue_;
};

/// A queue of the program's own that can join a `fair_scheduler`. All of it is called on the scheduler's strand.
template <class Q>
concept schedulable = requires(Q& q, const Q& c, ready_signal signal) {
  /// Whether `run_one` has something to run.
  { c.ready() } -> std::same_as<bool>;
  /// Runs one piece of work; only when it is ready. It must not throw: there is nobody to tell.
  { q.run_one() } -> std::same_as<void>;
  /// Keep it, and raise it whenever `ready` may have become true. (When it joins, the scheduler looks itself.)
  { q.when_ready(std::move(signal)) } -> std::same_as<void>;
};

/// Lets queues of any kind share one strand by weight; they join and leave while it runs.
///
///     weft::fair_scheduler scheduler;
///     auto cards_seat = scheduler.join(cards, 3);  // until the seat is destroyed
///     auto chat_seat = scheduler.join(chat, 1);
///     std::ignore = scope.start(scheduler.run());  // turns are taken on this strand, until the task is stopped
///
/// Guarantee: let W be the sum of the weights of all queues that have joined. Of any W consecutive turns, a queue of weight
/// w that has work throughout gets at least w; so one that becomes ready waits for at most W - w turns. What the others
/// leave unused is shared. (Weighted round robin. A turn is one `run_one`, however long it takes.)
///
/// A turn is one entry of the strand, and the next one is queued at its tail: whatever else the strand has to do, stop
/// among it, waits for one turn at most. When no queue is ready, nothing is queued and no time is spent.
/// Belongs to one worker.
class fair_scheduler {
  using member = std::shared_ptr<detail::scheduled_queue>;

 public:
  fair_scheduler() = default;
  /// All queues have left, and `run` has ended.
  ~fair_scheduler();
  fair_scheduler(const fair_scheduler&) = delete;
  fair_scheduler& operator=(const fair_scheduler&) = delete;

  /// A queue's place: destroying it takes the queue out, at once, from within `run_one` too. Outlives neither.
  class [[nodiscard("the queue leaves when it is destroyed")]] seat {
   public:
    explicit seat(member m) noexcept : member_{std::move(m)} {}
    seat(seat&&) noexcept = default;
    seat& operator=(seat&& other) noexcept {
      auto moved = std::move(other);
      std::swap(member_, moved.member_);
      return *this;
    }
    ~seat() { leave(); }
    void leave() noexcept;

   private:
    member member_;
  };

  /// Requires: weight > 0. At any time, from within `run_one` too.
  template <schedulable Q>
  seat join(Q& queue, unsigned weight = 1) {
    const auto joined =
        add(detail::scheduled_queue{this, &queue, [](const void* q) { return static_cast<const Q*>(q)->ready(); },
                                    [](void* q) { static_cast<Q*>(q)->run_one(); }, weight, weight});
    queue.when_ready(ready_signal{joined});
    if (queue.ready()) ready_signal{joined}.raise();
    return seat{joined};
  }

  class running;
  /// `co_await scheduler.run()`: queues take turns on this task's strand until the task is stopped, then after the turn that
  /// is being taken. What is still queued stays; it may be run again. One at a time.
  running run() noexcept;

  std::size_t joined() const noexcept { return joined_; }

 private:
  friend ready_signal;

  struct turn final : work {
    explicit turn(fair_scheduler& s) noexcept : scheduler{s} {}
    void run() noexcept override { scheduler.take_turn(); }
    fair_scheduler& scheduler;
  };

  member add(detail::scheduled_queue q);
  void remove(detail::scheduled_queue& q) noexcept;
  void list(const member& m) noexcept;
  void take_turn() noexcept;
  void drop_idle() noexcept;
  void queue_turn() noexcept;

  std::deque<member> ready_;  // the first takes the next turn; none is listed twice
  std::size_t joined_ = 0;
  running* runner_ = nullptr;
  turn turn_{*this};
  bool turn_queued_ = false;
};

/// See `fair_scheduler::run`.
class [[nodiscard]] fair_scheduler::running final : wait {
 public:
  explicit running(fair_scheduler& s) noexcept : wait{"fair scheduler"}, scheduler_{s} {}
  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    return begin(h, h.promise().ctx(), __builtin_return_address(0));
  }
  void await_resume() const noexcept {}

 private:
  friend fair_scheduler;

  bool begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  void on_stop() noexcept override;

  fair_scheduler& scheduler_;
  bool stopping_ = false;
};

inline fair_scheduler::running fair_scheduler::run() noexcept { return running{*this}; }

}  // namespace weft
