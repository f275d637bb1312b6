#include "lobby/flags.hpp"

#include <algorithm>
#include <charconv>

namespace lobby {

weft::result<flags> flags::parse(std::span<char* const> arguments, std::span<const flag> known) {
  flags parsed;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument{arguments[i]};
    const auto equals = argument.find('=');
    const auto name = argument.substr(0, equals);
    const auto found = std::find_if(known.begin(), known.end(), [name](const flag& f) { return f.name == name; });
    if (found == known.end()) {
      const std::string what{argument.starts_with("-") ? "unknown flag " : "unexpected argument "};
      return weft::invalid_argument(what + std::string{name});
    }
    std::string value;
    if (equals != std::string_view::npos) {
      if (!found->has_value) return weft::invalid_argument(std::string{name} + " takes no value");
      value = argument.substr(equals + 1);
    } else if (found->has_value) {
      if (++i == arguments.size()) return weft::invalid_argument(std::string{name} + " needs a value");
      value = arguments[i];
    }
    parsed.values_[std::string{name}] = std::move(value);
  }
  return parsed;
}

std::string flags::text(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string{otherwise} : found->second;
}

weft::result<std::uint64_t> flags::number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                          std::uint64_t most) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  const auto& text = found->second;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most) return value;
  return weft::invalid_argument(std::string{name} + " takes a whole number from " + std::to_string(least) + " to " +
                                std::to_string(most) + ", not \"" + text + "\"");
}

}  // namespace lobby
