#pragma once
#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <weft/runtime/child.hpp>
#include <weft/runtime/config.hpp>

namespace weft {

namespace detail {

// Waits until all its parts have ended. Stop reaches them through the tree of contexts, so it needs nothing of its own.
class group : protected wait {
 public:
  explicit group(const char* what, std::size_t parts) noexcept : wait{what}, left_{parts} {}

  virtual void part_ended(std::size_t index, bool threw) noexcept = 0;

 protected:
  void begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept { suspend(h, ctx, where); }
  void count_down() noexcept {
    if (--left_ == 0) finish();
  }

 private:
  void on_stop() noexcept override {}
  std::size_t left_;
};

template <class T>
class part final : public child<T> {
 public:
  part(group& whole, context& parent, std::size_t index, const char* name) noexcept
      : child<T>{parent.home(), &parent, name}, whole_{whole}, index_{index} {}

 private:
  void ended() noexcept override { whole_.part_ended(index_, this->outcome.threw()); }
  group& whole_;
  std::size_t index_;
};

// The tasks of one when_all or race with their contexts.
template <class... T>
class parts : public group {
 public:
  parts(const char* what, task<T>... tasks) noexcept : group{what, sizeof...(T)}, tasks_{std::move(tasks)...} {}
  // Tasks that were never awaited go down with it, as one misuse.

 protected:
  void begin_all(std::coroutine_handle<> h, context& ctx, void* where) noexcept {
    begin(h, ctx, where);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (std::get<I>(parts_).emplace(*this, ctx, I, what()), ...);
      (std::get<I>(parts_)->start(std::move(std::get<I>(tasks_))), ...);
    }(std::index_sequence_for<T...>{});
  }

  void stop_all_but(std::size_t index) noexcept {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((I != index ? std::get<I>(parts_)->own_context().stop() : void()), ...);
    }(std::index_sequence_for<T...>{});
  }

  std::tuple<std::optional<part<T>>...> parts_;

 private:
  std::tuple<task<T>...> tasks_;
};

template <class T>
using value_or_monostate = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
value_or_monostate<T> take_value(part<T>& p) {
  if constexpr (std::is_void_v<T>) {
    p.take();
    return {};
  } else {
    return p.take();
  }
}

template <class... T>
class [[nodiscard]] when_all_awaiter final : public parts<T...> {
 public:
  explicit when_all_awaiter(task<T>... tasks) noexcept : parts<T...>{"when_all", std::move(tasks)...} {}

  bool await_ready() const noexcept { return sizeof...(T) == 0; }
  template <task_promise_type P>
  WEFT_NOINLINE void await_suspend(std::coroutine_handle<P> h) noexcept {
    this->begin_all(h, h.promise().ctx(), __builtin_return_address(0));
  }
  std::tuple<value_or_monostate<T>...> await_resume() {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      if (threw_ != sizeof...(T)) ((I == threw_ ? void(take_value(*std::get<I>(this->parts_))) : void()), ...);
      return std::tuple<value_or_monostate<T>...>{take_value(*std::get<I>(this->parts_))...};
    }(std::index_sequence_for<T...>{});
  }

 private:
  void part_ended(std::size_t index, bool threw) noexcept override {
    if (threw && threw_ == sizeof...(T)) {
      threw_ = index;
      this->stop_all_but(index);
    }
    this->count_down();
  }
  std::size_t threw_ = sizeof...(T);
};

template <class... T>
class [[nodiscard]] race_awaiter final : public parts<T...> {
 public:
  explicit race_awaiter(task<T>... tasks) noexcept : parts<T...>{"race", std::move(tasks)...} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE void await_suspend(std::coroutine_handle<P> h) noexcept {
    this->begin_all(h, h.promise().ctx(), __builtin_return_address(0));
  }
  std::variant<value_or_monostate<T>...> await_resume() {
    std::optional<std::variant<value_or_monostate<T>...>> won;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((I == winner_ ? void(won.emplace(std::in_place_index<I>, take_value(*std::get<I>(this->parts_)))) : void()),
       ...);
    }(std::index_sequence_for<T...>{});
    return std::move(*won);
  }

 private:
  void part_ended(std::size_t index, bool) noexcept override {
    if (winner_ == sizeof...(T)) {
      winner_ = index;
      this->stop_all_but(index);
    }
    this->count_down();
  }
  std::size_t winner_ = sizeof...(T);
};

}  // namespace detail

/// Runs all of them side by side on this task's strand and yields a tuple of their values (std::monostate for void).
///
/// Order: they start in the order given. Cancel: stop reaches all of them; they are awaited. Errors as values concern
/// nobody else; the first exception stops the others, and is rethrown when all have ended.
template <awaitable... A>
task<std::tuple<detail::value_or_monostate<await_result_t<A>>...>> when_all(A... awaitables) {
  detail::when_all_awaiter<await_result_t<A>...> all{as_task(std::move(awaitables))...};
  co_return co_await all;
}

/// Runs all of them side by side; the first to end wins, the others are stopped and awaited. Yields a variant whose index
/// says who won. An exception of the winner is rethrown; outcomes of losers are dropped, exceptions included.
template <awaitable... A>
task<std::variant<detail::value_or_monostate<await_result_t<A>>...>> race(A... awaitables) {
  detail::race_awaiter<await_result_t<A>...> all{as_task(std::move(awaitables))...};
  co_return co_await all;
}

}  // namespace weft
