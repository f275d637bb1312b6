#pragma once
#include <concepts>
#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <weft/runtime/callback.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

namespace detail {

// The T of a function whose last parameter is a callback<T>; void for every other function, and for overloaded ones.
template <class... Args>
struct last_callback {
  using type = void;
};
template <class T>
struct last_callback<callback<T>> {
  using type = T;
};
template <class First, class Second, class... Rest>
struct last_callback<First, Second, Rest...> : last_callback<std::remove_cvref_t<Second>, Rest...> {};

template <class F>
struct callback_value {
  using type = void;
};
template <class R, class... A>
struct callback_value<R (*)(A...)> : last_callback<std::remove_cvref_t<A>...> {};
template <class R, class... A>
struct callback_value<R (*)(A...) noexcept> : last_callback<std::remove_cvref_t<A>...> {};
template <class C, class R, class... A>
struct callback_value<R (C::*)(A...)> : callback_value<R (*)(A...)> {};
template <class C, class R, class... A>
struct callback_value<R (C::*)(A...) const> : callback_value<R (*)(A...)> {};
template <class C, class R, class... A>
struct callback_value<R (C::*)(A...) noexcept> : callback_value<R (*)(A...)> {};
template <class C, class R, class... A>
struct callback_value<R (C::*)(A...) const noexcept> : callback_value<R (*)(A...)> {};
template <class F>
  requires requires { &F::operator(); }
struct callback_value<F> : callback_value<decltype(&F::operator())> {};

// What a step makes of what it returned: void and status become unit, a result its value.
template <class T>
struct step_value {
  using type = T;
};
template <>
struct step_value<void> : step_value<unit> {};
template <>
struct step_value<status> : step_value<unit> {};
template <class T>
struct step_value<result<T>> : step_value<T> {};
template <awaitable A>
struct step_value<A> : step_value<await_result_t<A>> {};

template <class V>
result<V> as_result(result<V> r) {
  return r;
}
template <class V>
result<V> as_result(V value) {
  return value;
}
template <class V>
  requires std::same_as<V, unit>
result<V> as_result(status s) {
  if (!s.ok()) return s;
  return unit{};
}

// A step as a function of the value before it, which it does not take where there is none.
template <class F, class... Previous>
struct step {
  using from_callback = typename callback_value<F>::type;
  static constexpr bool calls_back = !std::is_void_v<from_callback>;

  static auto value_type() {
    if constexpr (calls_back) {
      return std::type_identity<from_callback>{};
    } else {
      return std::type_identity<
          typename step_value<std::remove_cvref_t<std::invoke_result_t<F&, Previous...>>>::type>{};
    }
  }
  using value = typename decltype(value_type())::type;

  static task<result<value>> run(F& f, std::size_t number, Previous... previous) {
    if constexpr (calls_back) {
      const callback_name name{"waterfall", number};
      co_return co_await call_with_callback<value>(name, std::ref(f), std::move(previous)...);
    } else {
      using returned = std::invoke_result_t<F&, Previous...>;
      if constexpr (std::is_void_v<returned>) {
        std::invoke(f, std::move(previous)...);
        co_return unit{};
      } else if constexpr (!awaitable<returned>) {
        co_return as_result<value>(std::invoke(f, std::move(previous)...));
      } else if constexpr (std::is_void_v<await_result_t<returned>>) {
        co_await std::invoke(f, std::move(previous)...);
        co_return unit{};
      } else {
        auto outcome = co_await std::invoke(f, std::move(previous)...);
        co_return as_result<value>(std::move(outcome));
      }
    }
  }
};
template <class F>
struct step<F, unit> : step<F> {};

// The steps up to the n-th.
template <std::size_t n, class... Steps>
struct steps_to {
  using before = steps_to<n - 1, Steps...>;
  using own = step<std::tuple_element_t<n - 1, std::tuple<Steps...>>, typename before::value>;
  using value = typename own::value;

  static task<result<value>> run(std::tuple<Steps...>& steps) {
    auto previous = co_await before::run(steps);
    if (!previous.ok()) co_return std::move(previous).status();
    if constexpr (std::is_same_v<typename before::value, unit>) {
      co_return co_await own::run(std::get<n - 1>(steps), n);
    } else {
      co_return co_await own::run(std::get<n - 1>(steps), n, std::move(*previous));
    }
  }
};
template <class... Steps>
struct steps_to<1, Steps...> {
  using own = step<std::tuple_element_t<0, std::tuple<Steps...>>>;
  using value = typename own::value;

  static task<result<value>> run(std::tuple<Steps...>& steps) { return own::run(std::get<0>(steps), 1); }
};

template <class... Steps>
using last_value = typename steps_to<sizeof...(Steps), Steps...>::value;

template <class... Steps>
task<result<last_value<Steps...>>> run_steps(Steps... steps) {
  std::tuple<Steps...> kept{std::move(steps)...};
  co_return co_await steps_to<sizeof...(Steps), Steps...>::run(kept);
}

}  // namespace detail

/// One step after the other, on this task's strand, which does other work while a step waits: each receives the value of the
/// one before it, the first error ends it and later steps do not run; what the last one yields comes back as a result.
///
///     auto balance = co_await weft::waterfall([&] { return seat_of(request); },                        // a result<seat>
///                                             [&](seat s) { return wallet.Reserve(s.owner, bet); },      // a call
///                                             [&](Hold h, weft::callback<int> done) { pay(h, done); });  // callback style
///
/// A step is a function of the value before it (of nothing, in the first place and after void or a status) that returns a
/// value, a status, a result, or anything awaitable that yields one; or it takes a callback<T> as its last parameter (by its
/// type: not `auto`) and its value is what that is given. A step that runs elsewhere returns a call, or a `run_on`.
/// Keeps copies of the steps until it has ended, so they may be coroutines that capture.
/// Errors: a step's; INTERNAL, a callback was dropped without having been invoked. A second invocation is logged and changes
/// nothing. Cancel: stop reaches the step that waits, whose CANCELLED ends it like any error. An exception comes out.
template <class... Steps>
  requires(sizeof...(Steps) > 0 && (!std::same_as<Steps, on> && ...))
auto waterfall(Steps... steps) {
  return detail::run_steps(std::move(steps)...);
}

/// `waterfall(on(strand), steps...)`: all of its steps run on that strand, of whatever worker; the result comes back here.
template <class... Steps>
  requires(sizeof...(Steps) > 0)
auto waterfall(on dispatched, Steps... steps) {
  return run_on(dispatched.there(), detail::run_steps<Steps...>, std::move(steps)...);
}

}  // namespace weft
