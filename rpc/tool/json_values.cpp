#include "json_values.hpp"

#include <utility>

namespace weft::tool {
namespace {

constexpr std::string_view space = " \t\r\n";

}  // namespace

bool json_values::ends_before(char c) const noexcept {
  // A number or a word has no end of its own.
  return seen_ != 0 && depth_ == 0 && !in_string_ &&
         (space.find(c) != std::string_view::npos || c == '{' || c == '[' || c == '"');
}

bool json_values::ends_with(char c) noexcept {
  if (in_string_) {
    if (std::exchange(escaped_, false)) return false;
    escaped_ = c == '\\';
    in_string_ = c != '"';
    return !in_string_ && depth_ == 0;
  }
  switch (c) {
    case '"': in_string_ = true; return false;
    case '{':
    case '[': ++depth_; return false;
    case '}':
    case ']': return --depth_ <= 0;
    default: return false;
  }
}

std::string json_values::take(std::size_t length) {
  auto value = text_.substr(0, length);
  text_.erase(0, length);
  seen_ = 0;
  depth_ = 0;
  in_string_ = escaped_ = false;
  return value;
}

std::optional<std::string> json_values::next() {
  if (seen_ == 0) text_.erase(0, text_.find_first_not_of(space));
  while (seen_ < text_.size()) {
    const char c = text_[seen_];
    if (ends_before(c)) return take(seen_);
    const bool last = ends_with(c);
    ++seen_;
    if (last) return take(seen_);
  }
  return std::nullopt;
}

std::optional<std::string> json_values::rest() {
  if (text_.find_first_not_of(space) == std::string::npos) return std::nullopt;
  return take(text_.size());
}

}  // namespace weft::tool
