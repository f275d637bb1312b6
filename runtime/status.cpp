#include <weft/runtime/status.hpp>

#include <array>
#include <ostream>

namespace weft {

std::string_view to_string(code c) noexcept {
  static constexpr std::array<std::string_view, 17> names = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto i = static_cast<std::size_t>(c);
  return i < names.size() ? names[i] : names[2];
}

namespace {

const std::string& nothing() noexcept {
  static const std::string none;
  return none;
}

}  // namespace

const std::string& status::message() const noexcept { return error_ ? error_->message : nothing(); }
const std::string& status::details() const noexcept { return error_ ? error_->details : nothing(); }

std::string status::to_string() const {
  std::string text{weft::to_string(code())};
  if (!message().empty()) text.append(": ").append(message());
  return text;
}

std::ostream& operator<<(std::ostream& out, const status& s) { return out << s.to_string(); }

}  // namespace weft
