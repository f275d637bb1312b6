#pragma once
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace weft {

/// The canonical error codes; names and numbers are gRPC's.
enum class code : std::uint8_t {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

/// The code as gRPC spells it ("DEADLINE_EXCEEDED"); "CODE(n)" is never returned, an unknown number is "UNKNOWN".
std::string_view to_string(code c) noexcept;

/// The outcome of an operation that can fail: a code, and for an error a message for people.
///
/// An expected failure is a value, never an exception. Default constructed it is ok.
class [[nodiscard]] status {
 public:
  status() noexcept = default;
  /// `code::ok` makes an ok status, without the message.
  /// `details` is what gRPC sends beside the message, for programs: see `weft::add_detail` in rpc/status_details.hpp.
  status(weft::code c, std::string message, std::string details = {})
      : error_{c == code::ok ? nullptr : new error{c, std::move(message), std::move(details)}} {}
  status(const status& other) : error_{other.error_ ? new error{*other.error_} : nullptr} {}
  status(status&&) noexcept = default;
  status& operator=(const status& other) {
    if (this != &other) *this = status{other};
    return *this;
  }
  status& operator=(status&&) noexcept = default;
  ~status() = default;

  bool ok() const noexcept { return error_ == nullptr; }
  weft::code code() const noexcept { return error_ ? error_->code : weft::code::ok; }
  /// Empty when ok.
  const std::string& message() const noexcept;
  /// Empty when there are none.
  const std::string& details() const noexcept;

  /// "OK", or "NOT_FOUND: no table 7".
  std::string to_string() const;

  friend bool operator==(const status& a, const status& b) noexcept {
    return a.code() == b.code() && a.message() == b.message() && a.details() == b.details();
  }

 private:
  // Ok, which nearly every status is, costs a null pointer; an error a small allocation.
  struct error {
    weft::code code;
    std::string message;
    std::string details;
  };
  std::unique_ptr<const error> error_;
};

std::ostream& operator<<(std::ostream& out, const status& s);

/// Shorthands for the codes that user code returns most: `co_return weft::not_found("no table 7")`.
inline status cancelled(std::string message) { return {code::cancelled, std::move(message)}; }
inline status invalid_argument(std::string message) { return {code::invalid_argument, std::move(message)}; }
inline status deadline_exceeded(std::string message) { return {code::deadline_exceeded, std::move(message)}; }
inline status not_found(std::string message) { return {code::not_found, std::move(message)}; }
inline status already_exists(std::string message) { return {code::already_exists, std::move(message)}; }
inline status permission_denied(std::string message) { return {code::permission_denied, std::move(message)}; }
inline status resource_exhausted(std::string message) { return {code::resource_exhausted, std::move(message)}; }
inline status failed_precondition(std::string message) { return {code::failed_precondition, std::move(message)}; }
inline status aborted(std::string message) { return {code::aborted, std::move(message)}; }
inline status unimplemented(std::string message) { return {code::unimplemented, std::move(message)}; }
inline status internal_error(std::string message) { return {code::internal, std::move(message)}; }
inline status unavailable(std::string message) { return {code::unavailable, std::move(message)}; }
inline status unknown_error(std::string message) { return {code::unknown, std::move(message)}; }

}  // namespace weft
