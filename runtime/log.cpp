#include <weft/runtime/log.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <vector>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/service_call.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {
namespace {

bool plain(std::string_view value) noexcept {
  return !value.empty() && std::ranges::none_of(value, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\';
  });
}

void append_value(std::string& line, std::string_view value) {
  if (plain(value)) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '\n') {
      line += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') line += '\\';
    line += c;
  }
  line += '"';
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1'000;
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char date[32];
  std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
  char text[48];
  std::snprintf(text, sizeof text, "%s.%03dZ", date, static_cast<int>(ms));
  return text;
}

}  // namespace

std::string_view to_string(severity s) noexcept {
  switch (s) {
    case severity::info: return "I";
    case severity::warning: return "W";
    case severity::error: return "E";
  }
  return "?";
}

std::string to_string(const log_record& r) {
  std::string line{to_string(r.level)};
  line += ' ';
  line += r.text;
  for (const auto& f : r.fields) {
    line += ' ';
    line += f.key;
    line += '=';
    append_value(line, f.value);
  }
  return line;
}

void log_to_stderr(const log_record& r) noexcept {
  const auto line = timestamp() + " weft: " + to_string(r) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void log(const context& ctx, severity level, std::string_view text) noexcept {
  std::vector<log_field> fields;
  ctx.for_each_annotation([&fields](const char* key, std::string_view value) { fields.push_back({key, value}); });
  if (ctx.handler() != nullptr) fields.push_back({"call", ctx.handler()->method()});
  fields.push_back({"strand", ctx.home().name()});
  ctx.home().home().owner().log(level, text, fields);
}

}  // namespace weft
