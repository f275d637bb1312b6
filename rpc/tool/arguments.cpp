#include "arguments.hpp"

#include <absl/strings/escaping.h>

#include <charconv>
#include <map>
#include <optional>
#include <string_view>

namespace weft::tool {
namespace {

constexpr std::string_view overview =
    "weft: a console for gRPC servers\n"
    "\n"
    "  weft list ADDRESS [SERVICE]              the services of a server; the methods of one\n"
    "  weft describe ADDRESS SYMBOL             a service, method, message or enum as its .proto has it\n"
    "  weft call ADDRESS SERVICE/METHOD [JSON]  calls a method of any kind\n"
    "\n"
    "`weft VERB --help` says more. ADDRESS is host:port or unix:path.\n"
    "Exit code: 0, 1 when a call failed (stderr has CODE: message), 2 when the command line is wrong.\n";

constexpr std::string_view source =
    "  --descriptors FILE    do not ask the server for its .proto files (reflection): they are in FILE, which\n"
    "                        `protoc --descriptor_set_out=FILE --include_imports` writes\n"
    "  --timeout TIME        250ms, 5s, 2m, never; 5s unless it is given\n"
    "  --metadata KEY:VALUE  sent along; any number of times. The value of a key that ends in -bin is base64\n"
    "  --tls                 TLS; the system's authorities unless --ca names a file of others\n"
    "  --ca FILE, --cert FILE, --key FILE, --server-name NAME\n"
    "                        TLS: authorities, this client's certificate and key (mTLS), the name to expect\n"
    "  --plain-text          plain text also to other machines\n";

constexpr std::string_view list_help = "weft list ADDRESS [SERVICE]\n"
                                       "weft list --descriptors FILE [SERVICE]\n"
                                       "\n"
                                       "Names the services, or the methods of one, a line each.\n"
                                       "\n";

constexpr std::string_view describe_help =
    "weft describe ADDRESS SYMBOL\n"
    "weft describe --descriptors FILE SYMBOL\n"
    "\n"
    "Shows a service, method, message, enum or field, by its full name, as its .proto has it; for a method also its\n"
    "messages.\n"
    "\n";

constexpr std::string_view call_help =
    "weft call ADDRESS SERVICE/METHOD [JSON | @FILE | -]\n"
    "\n"
    "Calls a method: \"lobby.v1.Chat/Say\" or \"lobby.v1.Chat.Say\". A request is a JSON value, from the command line, "
    "a\n"
    "file or stdin; {} when there is none. A method that takes a stream takes any number of them, one after the "
    "other,\n"
    "none when there is none; from stdin they are sent as they come. Replies are printed as they come.\n"
    "\n"
    "  --compact             a reply a line\n"
    "  --verbose             the metadata that come back, and an error's details, on stderr\n";

constexpr std::string_view call_timeout = "A method that streams has no time limit unless one is given.\n";

std::string help_of(verb v) {
  std::string text;
  switch (v) {
    case verb::help: return std::string{overview};
    case verb::list: return (text += list_help) += source;
    case verb::describe: return (text += describe_help) += source;
    case verb::call: return ((text += call_help) += source) += call_timeout;
  }
  return text;
}

// Whether a flag has a value.
const std::map<std::string_view, bool>& flags_of(verb v) {
  static const std::map<std::string_view, bool> others{
      {"--help", false},       {"--timeout", true},    {"--descriptors", true}, {"--metadata", true},
      {"--tls", false},        {"--ca", true},         {"--cert", true},        {"--key", true},
      {"--server-name", true}, {"--plain-text", false}};
  static const std::map<std::string_view, bool> call = [] {
    auto all = others;
    all.insert({{"--compact", false}, {"--verbose", false}});
    return all;
  }();
  return v == verb::call ? call : others;
}

std::optional<verb> verb_of(std::string_view word) {
  if (word == "list") return verb::list;
  if (word == "describe") return verb::describe;
  if (word == "call") return verb::call;
  return std::nullopt;
}

status add_metadata(arguments& to, const std::string& text) {
  const auto colon = text.find(':');
  if (colon == 0 || colon == std::string::npos)
    return invalid_argument("--metadata takes KEY:VALUE, not '" + text + "'");
  auto key = text.substr(0, colon);
  auto value =
      text.substr(text.find_first_not_of(' ', colon + 1) == std::string::npos ? text.size()
                                                                              : text.find_first_not_of(' ', colon + 1));
  if (key.ends_with("-bin")) {
    std::string bytes;
    if (!absl::Base64Unescape(value, &bytes)) return invalid_argument("--metadata " + key + " takes base64");
    value = std::move(bytes);
  }
  to.peer.metadata.add(key, std::move(value));
  return {};
}

// False when it is none of TLS.
bool set_tls_flag(peer_options& to, std::string_view name, const std::string& value) {
  static const std::map<std::string_view, std::string client_tls::*> texts{{"--ca", &client_tls::authorities},
                                                                           {"--cert", &client_tls::certificate},
                                                                           {"--key", &client_tls::key},
                                                                           {"--server-name", &client_tls::server_name}};
  const auto text = texts.find(name);
  if (name != "--tls" && text == texts.end()) return false;
  if (!to.tls) to.tls.emplace();
  if (text != texts.end()) (*to.tls).*(text->second) = value;
  return true;
}

status set_flag(arguments& to, std::string_view name, const std::string& value) {
  if (set_tls_flag(to.peer, name, value)) return {};
  if (name == "--help") {
    to.help = help_of(to.verb);
  } else if (name == "--compact") {
    to.style = json_style::compact;
  } else if (name == "--verbose") {
    to.verbose = true;
  } else if (name == "--metadata") {
    return add_metadata(to, value);
  } else if (name == "--plain-text") {
    to.peer.plain_text_on_network = true;
  } else if (name == "--descriptors") {
    to.descriptors = value;
  } else if (name == "--timeout") {
    const auto limit = parse_duration(value);
    if (!limit.ok()) return limit.status();
    to.timeout = *limit;
  }
  return {};
}

status set_positionals(arguments& to, std::span<const std::string> words) {
  const bool offline = to.verb != verb::call && !to.descriptors.empty();
  std::vector<std::string*> places;
  if (!offline) places.push_back(&to.address);
  places.push_back(&to.name);
  if (to.verb == verb::call) places.push_back(&to.input);
  if (words.size() > places.size()) return invalid_argument("'" + words[places.size()] + "' is too much");
  for (std::size_t i = 0; i < words.size(); ++i) *places[i] = words[i];
  if (!offline && to.address.empty()) return invalid_argument("the ADDRESS is missing");
  if (to.verb == verb::describe && to.name.empty()) return invalid_argument("the SYMBOL is missing");
  if (to.verb == verb::call && to.name.empty()) return invalid_argument("the SERVICE/METHOD is missing");
  return {};
}

}  // namespace

result<duration> parse_duration(const std::string& text) {
  if (text == "never") return duration::max();
  std::int64_t count = 0;
  const auto [unit, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view name{unit, static_cast<std::size_t>(text.data() + text.size() - unit)};
  constexpr std::int64_t most = 1'000'000;
  if (error == std::errc{} && count > 0 && count <= most) {
    if (name == "ms") return duration{std::chrono::milliseconds{count}};
    if (name == "s") return duration{std::chrono::seconds{count}};
    if (name == "m") return duration{std::chrono::minutes{count}};
    if (name == "h") return duration{std::chrono::hours{count}};
  }
  return invalid_argument("--timeout takes 250ms, 5s, 2m or never, not '" + text + "'");
}

result<arguments> parse_arguments(std::span<char* const> words) {
  arguments parsed;
  const std::string_view first = words.empty() ? "--help" : words[0];
  if (first == "--help" || first == "-h" || first == "help") {
    parsed.help = help_of(verb::help);
    return parsed;
  }
  const auto verb = verb_of(first);
  if (!verb) return invalid_argument("there is no '" + std::string{first} + "'");
  parsed.verb = *verb;

  std::vector<std::string> positionals;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word{words[i]};
    if (!word.starts_with("--") && word != "-h") {
      positionals.emplace_back(word);
      continue;
    }
    const auto equals = word.find('=');
    const auto name = word == "-h" ? std::string_view{"--help"} : word.substr(0, equals);
    const auto flag = flags_of(*verb).find(name);
    if (flag == flags_of(*verb).end()) {
      return invalid_argument(std::string{first} + " has no " + std::string{name});
    }
    std::string value;
    if (equals != std::string_view::npos) {
      if (!flag->second) return invalid_argument(std::string{name} + " takes no value");
      value = word.substr(equals + 1);
    } else if (flag->second) {
      if (++i == words.size()) return invalid_argument(std::string{name} + " needs a value");
      value = words[i];
    }
    if (auto s = set_flag(parsed, name, value); !s.ok()) return s;
  }
  if (!parsed.help.empty()) return parsed;
  if (auto s = set_positionals(parsed, positionals); !s.ok()) return s;
  return parsed;
}

}  // namespace weft::tool
