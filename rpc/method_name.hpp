#pragma once
#include <string>
#include <string_view>
#include <weft/runtime/result.hpp>

namespace weft {

/// A method by name. The grammar, wherever weft takes one as text:
///
///   ["/"] service ("/" | ".") method          service: an alias or a full name, identifiers joined by "."
///
/// "lobby.v1.Cards/Play", "/lobby.v1.Cards/Play", "lobby.v1.Cards.Play" and, where "cards" is an alias of lobby.v1.Cards,
/// "cards.Play" and "cards/Play" all name the same method.
struct method_name {
  std::string_view service;
  std::string_view method;
};

/// The parts of `text`, which has to outlive them. INVALID_ARGUMENT, quoting it, when it is no method's name.
result<method_name> parse_method_name(std::string_view text);

/// True for identifiers joined by ".": "lobby.v1.Cards", "cards".
bool is_service_name(std::string_view text) noexcept;

}  // namespace weft
