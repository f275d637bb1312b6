#include <weft/runtime/link/gate_message.hpp>

#include <optional>
#include <utility>

namespace weft {
namespace {

enum wire_type : unsigned { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::optional<std::uint64_t> take_varint(std::string_view& from) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80U) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> take(std::string_view& from, std::uint64_t size) {
  if (size > from.size()) return std::nullopt;
  const auto front = from.substr(0, size);
  from.remove_prefix(size);
  return front;
}

struct field {
  std::uint64_t number;
  std::uint64_t value = 0;     // of a varint
  std::string_view content{};  // of bytes
  bool is_varint = false;
  bool is_bytes = false;
};

std::optional<field> take_field(std::string_view& from) {
  const auto tag = take_varint(from);
  if (!tag || *tag >> 3U == 0) return std::nullopt;
  field f{.number = *tag >> 3U};
  switch (*tag & 7U) {
    case varint: {
      const auto value = take_varint(from);
      if (!value) return std::nullopt;
      f.value = *value;
      f.is_varint = true;
      return f;
    }
    case bytes: {
      const auto size = take_varint(from);
      const auto content = size ? take(from, *size) : std::nullopt;
      if (!content) return std::nullopt;
      f.content = *content;
      f.is_bytes = true;
      return f;
    }
    case fixed64: return take(from, 8) ? std::optional{f} : std::nullopt;
    case fixed32: return take(from, 4) ? std::optional{f} : std::nullopt;
    default: return std::nullopt;
  }
}

}  // namespace

void number_command(std::string& command, std::uint64_t number) {
  command.push_back(1U << 3U | varint);
  for (; number >= 0x80U; number >>= 7U) command.push_back(static_cast<char>(0x80U | (number & 0x7FU)));
  command.push_back(static_cast<char>(number));
}

result<gate_head> read_gate_head(std::string_view message) {
  gate_head head;
  std::uint64_t said = 0;
  std::string_view text;
  while (!message.empty()) {
    const auto f = take_field(message);
    if (!f) return invalid_argument("the gate sent what is no message");
    if ((f->number <= 2 && !f->is_varint) || (f->number == 3 && !f->is_bytes)) {
      return invalid_argument("the gate sent a message of another kind");
    }
    if (f->number == 1) head.reply_to = f->value;
    if (f->number == 2) said = f->value;
    if (f->number == 3) text = f->content;
  }
  if (said != 0) {
    const bool known = said <= static_cast<std::uint64_t>(code::unauthenticated);
    head.outcome = status{known ? static_cast<code>(said) : code::unknown, std::string{text}};
  }
  return head;
}

}  // namespace weft
