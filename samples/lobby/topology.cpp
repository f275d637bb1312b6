#include "lobby/topology.hpp"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "lobby/load.hpp"

namespace lobby {
namespace {

std::size_t line_at(const std::string& text, std::size_t offset) {
  return 1 + static_cast<std::size_t>(std::count(
                 text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(offset, text.size())), '\n'));
}

// protobuf's errors do not tell the line. One about a field starts with its name: "INVALID_ARGUMENT:chatt: Cannot find
// field."; one about syntax quotes the text around the error, with a mark below that counts from the quotation's start.
std::string place_of_error(const std::string& text, const std::string& error) {
  std::size_t at = std::string::npos;
  const auto mark = error.rfind('^');
  if (mark != std::string::npos && error.find('\n') != std::string::npos) {
    const auto begin = error.find('\n') + 1;
    const auto end = error.rfind('\n', mark);
    const auto quoted = text.find(error.substr(begin, end - begin));
    if (quoted != std::string::npos) at = quoted + (mark - end - 1);
  } else {
    const auto begin = error.find(':') + 1;
    auto name = error.substr(begin, error.find(": ", begin) - begin);
    if (const auto dot = name.rfind('.'); dot != std::string::npos) name = name.substr(dot + 1);
    at = text.find('"' + name + '"');
  }
  return at == std::string::npos ? "" : ":" + std::to_string(line_at(text, at));
}

weft::status check(const v1::Topology& t, const std::string& name) {
  if (t.listen().empty()) {
    return weft::invalid_argument(name + ": 'listen' is missing: where players connect, such as \"127.0.0.1:7000\"");
  }
  for (const auto& [what, place] :
       {std::pair{"gate", &t.gate()}, {"lobby", &t.lobby()}, {"cards", &t.cards()}, {"chat", &t.chat()}}) {
    if (place->local() && !place->address().empty()) {
      return weft::invalid_argument(name + ": '" + what + "' must be either local or have an address");
    }
    if (place->unary() && place->address().empty()) {
      return weft::invalid_argument(name + ": '" + what + "' is called by unary calls: it needs an address");
    }
  }
  return {};
}

}  // namespace

weft::result<v1::Topology> parse_topology(const std::string& text, const std::string& name) {
  v1::Topology t;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &t);
  if (!parsed.ok()) {
    const auto why = parsed.ToString();
    return weft::invalid_argument(name + place_of_error(text, why) + ": " +
                                  std::string{parsed.message().data(), parsed.message().size()});
  }
  if (auto s = check(t, name); !s.ok()) return s;
  return with_defaults(std::move(t));
}

weft::result<v1::Topology> read_topology(const std::string& file) {
  std::ifstream in{file};
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored))
    return weft::not_found("cannot read the topology file '" + file + "'");
  return parse_topology(std::string{std::istreambuf_iterator<char>{in}, {}}, file);
}

v1::Topology with_defaults(v1::Topology t) {
  if (t.turn_ms() == 0) t.set_turn_ms(30'000);
  if (t.chat_limit_ms() == 0) t.set_chat_limit_ms(1'000);
  if (t.grace_ms() == 0) t.set_grace_ms(1'000);
  for (auto* l : {t.mutable_card_commands(), t.mutable_chat_lines()}) {
    if (l->running() == 0) l->set_running(load{}.running);
    if (l->waiting() == 0) l->set_waiting(load{}.waiting);
  }
  for (auto* place : {t.mutable_gate(), t.mutable_lobby(), t.mutable_cards(), t.mutable_chat()}) {
    if (place->address().empty()) place->set_local(true);
  }
  return t;
}

}  // namespace lobby
