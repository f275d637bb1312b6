#include "lobby/demo_report.hpp"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace lobby {
namespace {

template <class... Args>
std::string print(const char* format, Args... args) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, args...);
  return text.data();
}

double number_in(const google::protobuf::Struct& object, const char* name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? 0 : found->second.number_value();
}

std::uint64_t count_in(const google::protobuf::Struct& object, const char* name) {
  return static_cast<std::uint64_t>(std::llround(number_in(object, name)));
}

const google::protobuf::Struct& object_in(const google::protobuf::Struct& object, const char* name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? google::protobuf::Struct::default_instance() : found->second.struct_value();
}

const run_result& run_of(const demo_report& report, v1::Handling handling) {
  std::size_t i = 0;
  while (ways[i].handling != handling) ++i;
  return report.runs[i];
}

// Nothing follows from a task per message having overtaken no command.
bool too_few_pairs(const demo_report& report) {
  return report.small_load && run_of(report, v1::SPAWN).pairs < enough_pairs;
}

}  // namespace

std::optional<left_over> parse_left_over(const std::string& line) {
  left_over left;
  const int found = std::sscanf(line.c_str(), "left tasks=%" SCNd64 " calls=%" SCNd64 " fds=%" SCNd64, &left.tasks,
                                &left.calls, &left.fds);
  if (found != 3) return std::nullopt;
  return left;
}

weft::result<run_result> parse_run_result(const std::string& json) {
  google::protobuf::Struct object;
  const auto parsed = google::protobuf::util::JsonStringToMessage(json, &object);
  if (!parsed.ok()) return weft::invalid_argument("not a result of robots: " + parsed.ToString());
  run_result result{
      .games = count_in(object, "games"),
      .commands = count_in(object, "commands"),
      .card_p50_ms = number_in(object, "card_p50_ms"),
      .card_p99_ms = number_in(object, "card_p99_ms"),
      .chat_p50_ms = number_in(object, "chat_p50_ms"),
      .pairs = count_in(object, "pairs"),
      .overtaken = count_in(object, "overtaken"),
      .errors = count_in(object, "errors"),
  };
  for (const auto& [code, count] : object_in(object, "chat_errors").fields()) {
    result.errors += static_cast<std::uint64_t>(std::llround(count.number_value()));
  }
  for (const auto& [what, count] : object_in(object, "complaints").fields()) {
    result.complaints.push_back(print("%.0f x ", count.number_value()) + what);
  }
  return result;
}

std::string to_table(const demo_report& report) {
  auto table = print("%-20s %7s %9s %11s %11s %11s %10s %7s\n", "", "games", "commands", "card p50", "card p99",
                     "chat p50", "overtaken", "errors");
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const auto& run = report.runs[i];
    table +=
        print("%-20s %7" PRIu64 " %9" PRIu64 " %8.1f ms %8.1f ms %8.1f ms %10" PRIu64 " %7" PRIu64 "\n", ways[i].title,
              run.games, run.commands, run.card_p50_ms, run.card_p99_ms, run.chat_p50_ms, run.overtaken, run.errors);
  }
  return table;
}

std::string to_json(const demo_report& report) {
  std::string json;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const auto& run = report.runs[i];
    json += print("%c\"%s\":{\"games\":%" PRIu64 ",\"commands\":%" PRIu64, i == 0 ? '{' : ',', ways[i].key, run.games,
                  run.commands) +
            print(",\"card_p50_ms\":%.3f,\"card_p99_ms\":%.3f,\"chat_p50_ms\":%.3f", run.card_p50_ms, run.card_p99_ms,
                  run.chat_p50_ms) +
            print(",\"overtaken\":%" PRIu64 ",\"errors\":%" PRIu64 "}", run.overtaken, run.errors);
  }
  return json + "}";
}

std::vector<std::string> broken_promises(const demo_report& report) {
  std::vector<std::string> broken;
  const auto promise = [&broken](bool kept, std::string otherwise) {
    if (!kept) broken.push_back(std::move(otherwise));
  };
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (ways[i].handling != v1::LANES) continue;
    const auto& lanes = report.runs[i];
    const auto* const name = ways[i].key;
    promise(lanes.games > 0, print("%s: no game was finished", name));
    promise(lanes.card_p99_ms < most_card_p99_ms,
            print("%s: card p99 is %.1f ms, not below %.0f ms", name, lanes.card_p99_ms, most_card_p99_ms));
    promise(lanes.overtaken == 0, print("%s: %" PRIu64 " commands were overtaken", name, lanes.overtaken));
    auto errors = print("%s: %" PRIu64 " errors", name, lanes.errors);
    for (const auto& complaint : lanes.complaints) errors += "; " + complaint;
    promise(lanes.errors == 0, std::move(errors));
  }

  const auto& queue = run_of(report, v1::QUEUE);
  promise(queue.card_p99_ms > least_queued_p99_ms,
          print("queue: card p99 is %.1f ms, not above %.0f ms", queue.card_p99_ms, least_queued_p99_ms));
  promise(run_of(report, v1::SPAWN).overtaken > 0 || too_few_pairs(report), "spawn: no command was overtaken");

  const auto& left = report.left;
  auto leftovers = print("after exit %" PRId64 " tasks, %" PRId64 " calls, %" PRId64 " fds are left", left.tasks,
                         left.calls, left.fds);
  for (const auto& line : report.left_by) leftovers += "; " + line;
  promise(left.nothing() && report.left_by.empty(), std::move(leftovers));
  promise(!report.dump_line.empty(), "lanes: the gate's dump never showed a player in a chat call");
  return broken;
}

std::vector<std::string> not_shown(const demo_report& report) {
  const auto& spawn = run_of(report, v1::SPAWN);
  if (spawn.overtaken > 0 || !too_few_pairs(report)) return {};
  return {print("spawn: no command was overtaken, but only %" PRIu64
                " were sent right behind another: with more robots or "
                "more time, as by default, some are",
                spawn.pairs)};
}

}  // namespace lobby
