#pragma once
#include <coroutine>
#include <cstddef>
#include <optional>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/wait_list.hpp>

namespace weft {

/// So many permits, which coroutines of one worker take and give back. Must outlive its permits and its waiters.
///
/// First come, first served: nobody overtakes a waiter, so one that wants many permits holds up those behind it and gets
/// them in the end. A permit that comes back is handed to the first waiter at once, which resumes later, on its strand.
/// Destroying a permit never resumes anybody inline.
class semaphore {
 public:
  /// Permits that are held; gives them back when it is destroyed.
  class [[nodiscard]] permit {
   public:
    permit(permit&& other) noexcept : from_{std::exchange(other.from_, nullptr)}, count_{other.count_} {}
    permit& operator=(permit&& other) noexcept {
      auto moved = std::move(other);
      std::swap(from_, moved.from_);
      std::swap(count_, moved.count_);
      return *this;
    }
    ~permit() { release(); }
    /// Gives them back now. Idempotent.
    void release() noexcept {
      if (auto* from = std::exchange(from_, nullptr)) from->give_back(count_);
    }

   private:
    friend semaphore;
    permit(semaphore& from, std::size_t count) noexcept : from_{&from}, count_{count} {}
    semaphore* from_;
    std::size_t count_;
  };

  explicit semaphore(std::size_t permits) noexcept : permits_{permits}, free_{permits} {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  /// `auto held = co_await weft::ok(s.acquire(n))`: a result<permit> for `n` permits at once; does not suspend when they are
  /// free and nobody waits. Cancel: CANCELLED, and it holds nothing. Errors: INVALID_ARGUMENT (more than there are).
  auto acquire(std::size_t n = 1) noexcept { return acquiring{*this, n}; }
  /// Empty when they are not free, or somebody waits.
  std::optional<permit> try_acquire(std::size_t n = 1) noexcept {
    if (!try_take(n)) return std::nullopt;
    return permit{*this, n};
  }

  std::size_t permits() const noexcept { return permits_; }
  /// Permits that nobody holds.
  std::size_t free() const noexcept { return free_; }
  /// Tasks that wait.
  std::size_t waiting() const noexcept { return waiting_; }

 private:
  class awaiter final : listed_wait {
   public:
    awaiter(semaphore& s, std::size_t n) noexcept : listed_wait{"semaphore"}, semaphore_{s}, count_{n} {}
    bool await_ready() noexcept { return count_ > semaphore_.permits_ || semaphore_.try_take(count_); }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return semaphore_.wait(*this, h, h.promise().ctx(), __builtin_return_address(0));
    }
    result<permit> await_resume();

   private:
    friend semaphore;
    void on_stop() noexcept override;
    semaphore& semaphore_;
    std::size_t count_;
  };
  struct acquiring {
    semaphore& s;
    std::size_t n;
    awaiter operator co_await() const noexcept { return {s, n}; }
  };

  bool try_take(std::size_t n) noexcept {
    if (n > free_ || waiting_ != 0) return false;
    free_ -= n;
    return true;
  }
  bool wait(awaiter& w, std::coroutine_handle<> h, context& ctx, void* where) noexcept;
  void give_back(std::size_t n) noexcept {
    free_ += n;
    if (waiting_ != 0) hand_over();
  }
  void hand_over() noexcept;

  std::size_t permits_;
  std::size_t free_;
  std::size_t waiting_ = 0;
  wait_list waiters_;
};

}  // namespace weft
