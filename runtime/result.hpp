#pragma once
#include <concepts>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <weft/runtime/status.hpp>

namespace weft {

/// Thrown by access to the value of a result that holds an error. Reaching it is a bug in the caller; a service
/// that lets it escape ends that one call with UNKNOWN, never the process.
class bad_result : public std::exception {
 public:
  explicit bad_result(status error)
      : error_{std::move(error)}, text_{"weft: value of a failed result: " + error_.to_string()} {}
  const char* what() const noexcept override { return text_.c_str(); }
  const status& error() const noexcept { return error_; }

 private:
  status error_;
  std::string text_;
};

/// A value or the status that says why there is none.
///
/// `co_await weft::ok(expression)` unwraps it or completes the enclosing task with the error.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;

  result(const T& value) : value_{value} {}
  result(T&& value) : value_{std::move(value)} {}
  /// Requires: an error. An ok status is turned into INTERNAL, since there is no value to go with it.
  result(weft::status error) : status_{std::move(error)} {
    if (status_.ok()) status_ = internal_error("a result was made from an ok status without a value");
  }

  bool ok() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }

  const weft::status& status() const& noexcept { return status_; }
  weft::status&& status() && noexcept { return std::move(status_); }
  weft::code code() const noexcept { return status_.code(); }

  T& value() & { return check(), *value_; }
  const T& value() const& { return check(), *value_; }
  T&& value() && { return check(), std::move(*value_); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  template <class U>
  T value_or(U&& otherwise) && {
    return ok() ? std::move(*value_) : static_cast<T>(std::forward<U>(otherwise));
  }

 private:
  void check() const {
    if (!value_) throw bad_result{status_};
  }

  std::optional<T> value_;
  weft::status status_;
};

/// True for result<T> and for status: what a call ends with, and what `ok` can unwrap.
template <class T>
inline constexpr bool is_result = std::is_same_v<T, status>;
template <class T>
inline constexpr bool is_result<result<T>> = true;

namespace detail {

template <class T>
struct with_error {
  using type = std::conditional_t<is_result<T>, T, result<T>>;
};
template <>
struct with_error<void> {
  using type = status;
};

}  // namespace detail

/// T with room for an error: a result<T>; T itself where it is a result or a status; a status for void.
template <class T>
using with_error_t = typename detail::with_error<T>::type;

template <class T>
const status& status_of(const result<T>& r) noexcept {
  return r.status();
}
inline const status& status_of(const status& s) noexcept { return s; }

}  // namespace weft
