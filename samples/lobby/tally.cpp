#include "lobby/tally.hpp"

#include <array>
#include <cstdio>

namespace lobby {
namespace {

template <class... Args>
std::string print(const char* format, Args... args) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, args...);
  return text.data();
}

unsigned long long number(std::uint64_t n) { return n; }

std::string in_quotes(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + '"';
}

std::string to_json(const std::map<std::string, std::uint64_t>& counts) {
  std::string object;
  for (const auto& [what, count] : counts) {
    object += (object.empty() ? "" : ",") + in_quotes(what) + ":" + std::to_string(count);
  }
  return "{" + object + "}";
}

}  // namespace

void tally::error(const std::string& what) {
  ++errors;
  complain(what);
}

void tally::complain(const std::string& what) {
  if (complaints.size() < most_complaints || complaints.contains(what)) ++complaints[what];
}

std::string to_json(const tally& t) {
  return print("{\"games\":%llu,\"commands\":%llu,\"says\":%llu,", number(t.games), number(t.commands),
               number(t.says)) +
         print("\"card_p50_ms\":%.3f,\"card_p99_ms\":%.3f,\"card_p999_ms\":%.3f,", t.card.percentile_ms(0.5),
               t.card.percentile_ms(0.99), t.card.percentile_ms(0.999)) +
         print("\"chat_p50_ms\":%.3f,\"chat_p99_ms\":%.3f,", t.chat.percentile_ms(0.5), t.chat.percentile_ms(0.99)) +
         print("\"pairs\":%llu,\"overtaken\":%llu,\"errors\":%llu,", number(t.pairs), number(t.overtaken),
               number(t.errors)) +
         "\"chat_errors\":" + to_json(t.chat_errors) + ",\"complaints\":" + to_json(t.complaints) + "}";
}

std::string to_text(const tally& t) {
  auto text =
      print("%llu games, %llu commands (%llu overtaken, %llu errors), %llu lines said, %llu heard\n", number(t.games),
            number(t.commands), number(t.overtaken), number(t.errors), number(t.says), number(t.lines_heard)) +
      print("cards  p50 %.2f ms  p99 %.2f ms  p99.9 %.2f ms\n", t.card.percentile_ms(0.5), t.card.percentile_ms(0.99),
            t.card.percentile_ms(0.999)) +
      print("chat   p50 %.2f ms  p99 %.2f ms\n", t.chat.percentile_ms(0.5), t.chat.percentile_ms(0.99));
  for (const auto& [code, count] : t.chat_errors) {
    text += print("chat errors: %llu %s\n", number(count), code.c_str());
  }
  for (const auto& [what, count] : t.complaints) {
    text += std::to_string(count) + " x " + what + "\n";
  }
  return text;
}

std::string progress_of(const tally& t) {
  return print("%llu games, %llu commands, %llu chat lines, card p99 %.1f ms, chat p99 %.1f ms", number(t.games),
               number(t.commands), number(t.lines_heard), t.card.percentile_ms(0.99), t.chat.percentile_ms(0.99));
}

}  // namespace lobby
