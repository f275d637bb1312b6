#include <weft/runtime/metadata.hpp>

#include <algorithm>
#include <utility>

namespace weft {
namespace {

bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }

bool is_key_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

// gRPC keeps "grpc-" for itself, but for what tracing libraries have always sent.
bool is_reserved(std::string_view key) noexcept {
  return key.starts_with("grpc-") && key != "grpc-trace-bin" && key != "grpc-tags-bin";
}

bool is_printable(char c) noexcept { return c >= ' ' && c <= '~'; }

}  // namespace

metadata& metadata::add(std::string_view key, std::string value) {
  auto& made = entries_.emplace_back(std::string{key}, std::move(value));
  for (auto& c : made.key) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return *this;
}

const std::string* metadata::find(std::string_view key) const noexcept {
  const auto found = std::ranges::find(entries_, key, &entry::key);
  return found != entries_.end() ? &found->value : nullptr;
}

status metadata::check() const {
  for (const auto& [key, value] : entries_) {
    if (key.empty() || !std::ranges::all_of(key, is_key_letter)) {
      return invalid_argument("metadata key '" + key + "': letters, digits, '_', '-' and '.' only");
    }
    if (is_reserved(key)) return invalid_argument("metadata key '" + key + "' is reserved for gRPC");
    if (!key.ends_with("-bin") && !std::ranges::all_of(value, is_printable)) {
      return invalid_argument("metadata key '" + key +
                              "' has a value that is not printable ASCII: a key for bytes ends in '-bin'");
    }
  }
  return {};
}

}  // namespace weft
