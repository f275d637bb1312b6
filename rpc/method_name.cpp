#include <weft/rpc/method_name.hpp>

namespace weft {
namespace {

// protobuf's identifiers: ASCII whatever the locale.
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_identifier(std::string_view text) noexcept {
  if (text.empty() || !is_letter(text.front())) return false;
  for (const char c : text) {
    if (!is_letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

}  // namespace

bool is_service_name(std::string_view text) noexcept {
  for (;;) {
    const auto dot = text.find('.');
    if (!is_identifier(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

result<method_name> parse_method_name(std::string_view text) {
  auto rest = text;
  if (rest.starts_with('/')) rest.remove_prefix(1);
  const auto slash = rest.find('/');
  const auto split = slash != std::string_view::npos ? slash : rest.rfind('.');
  if (split != std::string_view::npos) {
    const method_name name{rest.substr(0, split), rest.substr(split + 1)};
    if (is_service_name(name.service) && is_identifier(name.method)) return name;
  }
  return invalid_argument("'" + std::string{text} +
                          "' names no method: that is \"service/Method\" or \"service.Method\"");
}

}  // namespace weft
