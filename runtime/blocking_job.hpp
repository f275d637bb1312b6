#pragma once
#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <weft/runtime/call.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/net/way_home.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft {

/// What becomes of a job of a `blocking_pool` whose caller has gone, by deadline or stop, before it began.
enum class if_abandoned : std::uint8_t {
  run,   ///< It runs all the same and its result is dropped: for what writes. A player's last save is not lost.
  skip,  ///< It never runs: for what only reads. It keeps its place in the queue until its turn comes.
};

namespace detail {

class blocking_threads;
class blocking_wait;

/// A function on its way to a thread of a blocking_pool, and its outcome on the way back. Both threads hold it.
///
/// Between the caller's worker W and a thread P of the pool:
///   1. W fills it in and submits it under the pool's lock. When that is refused, only W ever knew it.
///   2. P takes it out under the pool's lock, so it sees what W wrote, and claims it: `stage_` waiting -> begun. If (3) was
///      earlier it drops it unrun.
///   3. A caller that gives up takes `waiter_`, which is W's alone; under `if_abandoned::skip` it claims the job, waiting ->
///      abandoned; then it shuts the way home.
///   4. P runs it, or refuses it, writes the outcome, and sends `came_home_` by the way home, once. After (3) the way is
///      shut, and P drops the outcome.
///   5. The note runs on W, which sees what P wrote (release and acquire of W's inbox), and takes `waiter_`.
/// One completion: (3) and (5) both run on W, one after the other, and the later one finds no waiter. Run or not run: (2)
/// and (3) are compare-exchanges of one word, and one of them wins. No worker that is gone: a runtime ends only when its
/// tasks have, so while one waits its worker is there, and when it does not wait any more the way is shut; `shut` returns
/// when no `submit` is in progress. What was sent before holds the job, and W runs it before it closes.
class blocking_job : public std::enable_shared_from_this<blocking_job> {
 public:
  blocking_job(std::optional<std::uint64_t> key, if_abandoned policy) noexcept : key_{key}, policy_{policy} {}
  virtual ~blocking_job() = default;
  blocking_job(const blocking_job&) = delete;
  blocking_job& operator=(const blocking_job&) = delete;

  std::optional<std::uint64_t> key() const noexcept { return key_; }

  // On the caller's worker.
  void begin(worker& home, blocking_wait& waiter) noexcept;
  /// True when it will not run.
  bool abandon() noexcept;

  // On a thread of the pool, or on the one that stops it.
  /// False: abandoned, to be dropped.
  bool claim() noexcept;
  /// Yields what escaped from the function.
  std::exception_ptr run(void* resource) noexcept;
  /// Instead of `run`.
  void refuse(status why) noexcept { error_ = std::move(why); }
  /// After `run` or `refuse`. False: nobody waits any more.
  bool go_home() noexcept { return came_home_.send(shared_from_this(), *way_); }

 protected:
  status error_;  // instead of a value

 private:
  enum class stage : std::uint8_t { waiting, begun, abandoned };

  virtual void invoke(void* resource) = 0;
  void tell_waiter() noexcept;

  const std::optional<std::uint64_t> key_;
  const if_abandoned policy_;
  std::atomic<stage> stage_{stage::waiting};
  blocking_wait* waiter_ = nullptr;  // the worker's
  std::optional<way_home> way_;      // set before it is submitted
  note<blocking_job, &blocking_job::tell_waiter> came_home_;
};

template <class T>
struct blocking_value {
  using type = T;
};
template <>
struct blocking_value<void> {
  using type = unit;
};
template <>
struct blocking_value<status> {
  using type = unit;
};
template <class T>
struct blocking_value<result<T>> {
  using type = T;
};

template <class R>
class blocking_job_of : public blocking_job {
 public:
  using blocking_job::blocking_job;

  /// On the caller's worker, when it came home. Once.
  result<R> take() {
    if (!error_.ok()) return std::move(error_);
    return std::move(*value_);
  }

 protected:
  std::optional<R> value_;
};

template <class T, class F, class R>
class blocking_function final : public blocking_job_of<R> {
 public:
  blocking_function(F f, std::optional<std::uint64_t> key, if_abandoned policy)
      : blocking_job_of<R>{key, policy}, function_{std::move(f)} {}

 private:
  void invoke(void* resource) override {
    auto& t = *static_cast<T*>(resource);
    using returned = std::remove_cvref_t<std::invoke_result_t<F&, T&>>;
    if constexpr (std::is_void_v<returned>) {
      function_(t);
      this->value_.emplace();
    } else if constexpr (std::is_same_v<returned, status>) {
      this->error_ = function_(t);
      this->value_.emplace();
    } else if constexpr (is_result<returned>) {
      auto outcome = function_(t);
      if (outcome.ok()) {
        this->value_.emplace(*std::move(outcome));
      } else {
        this->error_ = std::move(outcome).status();
      }
    } else {
      this->value_.emplace(function_(t));
    }
  }

  F function_;
};

/// Suspends a task until its job is home, or it gives up.
class blocking_wait : wait, timer {
 protected:
  blocking_wait(blocking_threads& pool, duration limit) noexcept : wait{"blocking pool"}, pool_{pool}, limit_{limit} {}
  ~blocking_wait() = default;
  /// False, without suspending, when it was refused: `early_`.
  bool begin(std::shared_ptr<blocking_job> job, std::coroutine_handle<> h, context& ctx, void* where) noexcept;

  status early_;  // why there is no outcome to take

 private:
  friend blocking_job;
  void came_home() noexcept;
  void give_up(code why, const char* text) noexcept;
  void expired() noexcept override;
  void on_stop() noexcept override;

  blocking_threads& pool_;
  duration limit_;
  blocking_job* job_ = nullptr;
};

[[noreturn]] void dropped_job_misuse() noexcept;

}  // namespace detail
}  // namespace weft
