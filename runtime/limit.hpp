#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>
#include <weft/runtime/child.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/semaphore.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

/// At most so many at a time: `weft::limit database{8}`, then `co_await database.run(rows.Load(request))` from as many
/// coroutines of one worker as there are. Must outlive what runs and waits in it.
///
/// First come, first served. The waiting room is bounded too: one more is refused, without suspending.
class limit {
 public:
  /// Requires: running > 0.
  explicit limit(std::size_t running, std::size_t waiting = 1'024) noexcept : slots_{running}, waiting_room_{waiting} {}

  /// Awaits the awaitable (a task, a call) when a slot is free and yields what it yields, as a result where it was none.
  /// Cancel: CANCELLED while it waits; then the awaitable was never begun. Errors: the awaitable's, RESOURCE_EXHAUSTED (the
  /// waiting room is full; never begun). An exception comes out and frees the slot.
  template <awaitable A>
  task<with_error_t<await_result_t<A>>> run(A awaitable) {
    if (auto full = admit(); !full.ok()) {
      discard(awaitable);
      co_return full;
    }
    auto slot = co_await slots_.acquire();
    if (!slot.ok()) {
      discard(awaitable);
      co_return slot.status();
    }
    began();
    if constexpr (std::is_void_v<await_result_t<A>>) {
      co_await std::move(awaitable);
      co_return status{};
    } else {
      co_return co_await std::move(awaitable);
    }
  }
  /// The same for `f(args...)`, which is called when a slot is free. Keeps copies of what it is given.
  template <class F, class... Args>
    requires std::invocable<F&, Args...>
  auto run(F f, Args... args) {
    return run(invoke_owned(std::move(f), std::move(args)...));
  }

  /// Slots that are taken: never more than the limit.
  std::size_t running() const noexcept { return slots_.permits() - slots_.free(); }
  std::size_t most_running() const noexcept { return most_running_; }
  std::size_t waiting() const noexcept { return slots_.waiting(); }
  std::uint64_t begun() const noexcept { return begun_; }
  std::uint64_t refused() const noexcept { return refused_; }

 private:
  status admit() noexcept;
  void began() noexcept {
    ++begun_;
    most_running_ = std::max(most_running_, running());
  }

  semaphore slots_;
  std::size_t waiting_room_;
  std::size_t most_running_ = 0;
  std::uint64_t begun_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace weft
