#pragma once
#include <cassert>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>

namespace weft {

/// How a task ended: not yet, with a value, or with an exception. A std::variant of the three, in half the instructions,
/// since it is nearly always set once and read once.
template <class T>
class outcome {
 public:
  using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

  outcome() noexcept {}
  outcome(const outcome&) = delete;
  outcome& operator=(const outcome&) = delete;
  ~outcome() { clear(); }

  bool has_value() const noexcept { return state_ == state::value; }
  bool threw() const noexcept { return state_ == state::thrown; }

  /// Replaces what was set before: the destructor of a local may throw after `co_return`, and the handler of that exception
  /// return something else. When a constructor throws, nothing is set.
  template <class... Args>
  void set(Args&&... args) noexcept(std::is_nothrow_constructible_v<stored, Args...>) {
    if (state_ != state::pending) [[unlikely]]
      clear();
    ::new (static_cast<void*>(&value_)) stored(std::forward<Args>(args)...);
    state_ = state::value;
  }
  /// Replaces what was set before.
  void set_exception(std::exception_ptr e) noexcept {
    clear();
    ::new (static_cast<void*>(&thrown_)) std::exception_ptr{std::move(e)};
    state_ = state::thrown;
  }

  /// Requires: has_value().
  stored& value() noexcept { return value_; }
  /// Null unless it threw.
  std::exception_ptr exception() const noexcept { return threw() ? thrown_ : nullptr; }

  /// The value, or rethrows. Requires: it has ended.
  T take() {
    if (state_ != state::value) [[unlikely]]
      rethrow();
    if constexpr (!std::is_void_v<T>) return std::move(value_);
  }

 private:
  enum class state : std::uint8_t { pending, value, thrown };

  void clear() noexcept {
    if (state_ == state::value) {
      std::destroy_at(&value_);
    } else if (state_ == state::thrown) [[unlikely]] {
      std::destroy_at(&thrown_);
    }
    state_ = state::pending;
  }

  [[noreturn, gnu::cold, gnu::noinline]] void rethrow() {
    assert(threw());
    std::rethrow_exception(thrown_);
  }

  union {
    stored value_;
    std::exception_ptr thrown_;
  };
  state state_ = state::pending;
};

}  // namespace weft
