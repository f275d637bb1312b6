#pragma once
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <weft/runtime/config.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/select_case.hpp>

namespace weft {

namespace detail {

template <class S>
inline constexpr bool stays_where_it_is = false;
template <class T>
inline constexpr bool stays_where_it_is<queue<T>> = true;
template <>
inline constexpr bool stays_where_it_is<event> = true;
template <class T>
inline constexpr bool stays_where_it_is<started<T>> = true;

template <class S, class Bare = std::remove_cvref_t<S>>
inline constexpr bool is_select_case =
    std::is_same_v<Bare, sleep> || std::is_same_v<Bare, when_stopped_t> ||
    (stays_where_it_is<Bare> ? std::is_same_v<S, Bare&>
                             : awaitable<Bare> && (std::is_same_v<S, Bare> || std::copy_constructible<Bare>));

// What is kept of an argument: queues, events and handles stay the caller's, the rest is the select's.
template <class S>
using select_source =
    std::conditional_t<stays_where_it_is<std::remove_cvref_t<S>>, std::remove_cvref_t<S>&, std::remove_cvref_t<S>>;

template <class... S>
class select_awaiter final : selection {
  using variant = std::variant<typename select_case<std::remove_cvref_t<S>>::value...>;
  using indices = std::index_sequence_for<S...>;
  static constexpr std::size_t count = sizeof...(S);

 public:
  explicit select_awaiter(std::tuple<S...>&& sources) noexcept : selection{stop_index()}, cases_{std::move(sources)} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    auto& ctx = h.promise().ctx();
    if (try_all(ctx)) return false;
    suspend(h, ctx, __builtin_return_address(0));
    each([&](std::size_t i, auto& c) { c.arm(*this, i, ctx); });
    return true;
  }
  result<variant> await_resume() { return take(indices{}); }

 private:
  template <class F>
  void each(F f) noexcept {
    std::apply(
        [&](auto&... c) {
          [[maybe_unused]] std::size_t i = 0;
          (f(i++, c), ...);
        },
        cases_);
  }

  // Begins with another case each time, so that none that is ready is passed over for ever.
  bool try_all(context& ctx) noexcept {
    const std::size_t first = count == 1 ? 0 : ctx.home().home().draw() * count >> 16;
    const auto try_one = [&](std::size_t i, auto& c) {
      if (winner_ == undecided && c.try_take(ctx)) winner_ = i;
    };
    each([&](std::size_t i, auto& c) {
      if (i >= first) try_one(i, c);
    });
    each([&](std::size_t i, auto& c) {
      if (i < first) try_one(i, c);
    });
    if (winner_ == undecided && ctx.stopped()) winner_ = if_stopped_;
    if (winner_ == undecided) return false;
    each([](std::size_t, auto& c) { c.drop(); });
    return true;
  }
  void disarm_all_but(std::size_t winner) noexcept override {
    each([&](std::size_t i, auto& c) {
      if (i != winner) c.disarm();
    });
  }

  template <std::size_t... I>
  result<variant> take(std::index_sequence<I...>) {
    std::optional<variant> won;
    ((I == winner_ ? void(won.emplace(std::in_place_index<I>, std::get<I>(cases_).take())) : void()), ...);
    if (!won) return cancelled("stopped while selecting");
    return std::move(*won);
  }
  // The stop case's, or none's.
  static constexpr std::size_t stop_index() noexcept {
    std::size_t i = 0;
    static_cast<void>(((std::is_same_v<std::remove_cvref_t<S>, when_stopped_t> ? true : (++i, false)) || ...));
    return i;
  }

  std::tuple<select_case<std::remove_cvref_t<S>>...> cases_;
};

template <class... S>
class [[nodiscard]] selecting {
 public:
  explicit selecting(S... sources) noexcept : sources_{std::forward<S>(sources)...} {}
  select_awaiter<S...> operator co_await() && noexcept { return select_awaiter<S...>{std::move(sources_)}; }

 private:
  std::tuple<S...> sources_;
};

}  // namespace detail

/// Waits for the first of several things and yields a result<std::variant<...>> whose index says which, with its value:
///
///     auto next = co_await weft::select(orders, closing, weft::sleep_for(5s), answer);
///
/// | case                                   | is ready                          | value                               |
/// |----------------------------------------|-----------------------------------|-------------------------------------|
/// | `queue<T>&`                            | with a value, or closed           | std::optional<T>, empty when closed |
/// | `event&`                               | when set                          | std::monostate                      |
/// | `sleep_for(d)`, `sleep_until(t)`       | at that time                      | std::monostate                      |
/// | `when_stopped`                         | when the task is stopped          | std::monostate                      |
/// | `started<T>&`                          | when the started task has ended   | T, or std::monostate for void       |
/// | any other awaitable (a call, a ticket) | when it has ended                 | what it yields                      |
///
/// No value is lost: exactly one case takes something. A queue that loses keeps its value, a started task that loses can be
/// awaited or selected again, and so can a ticket. Any other awaitable is begun only when nothing is ready (else it is dropped, never begun);
/// when it loses it is stopped and awaited, and what it yields all the same is dropped, as by `race`. So for what must not
/// be lost, or is waited for in a loop, start it in a scope and give the handle.
///
/// Fair: when several are ready it begins to look at a case drawn from the worker's pseudo-random sequence, the same in each
/// run; of n cases each comes first once in n times. When none is ready, the first to become so wins.
/// Cancel: a ready case wins; otherwise CANCELLED, or `when_stopped`. An exception of a task that wins is rethrown.
/// Resumes on the task's strand. Cost: no allocation except for other awaitables; a ready case does not suspend.
///
/// BAD: `select(orders.pop(), …)` – a pop that loses may have taken a value.
/// GOOD: `select(orders, …)`
template <class... S>
auto select(S&&... cases) {
  static_assert(sizeof...(S) > 0, "select needs a case");
  static_assert(
      (detail::is_select_case<S> && ...),
      "a case is a queue, an event or a started task by name, or a sleep, when_stopped or any other awaitable "
      "as a temporary");
  return detail::selecting<detail::select_source<S>...>{std::forward<S>(cases)...};
}

}  // namespace weft
