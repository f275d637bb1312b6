#include <weft/bench/rpc/trials.hpp>

#include <unistd.h>

#include <google/protobuf/stubs/common.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <stdexcept>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view usage = R"(
  --rounds N    interleaved rounds of each row
  --seconds S   of a round, for rows that run for a time
  --quick       one short round: does it work, not how fast it is
  --only TEXT   the rows with TEXT in their name
  --json FILE   write the rows to FILE as well
  --help        print this

Every row of every round is a new process. A row with an error is void. Exits with 1 when a row is void or the suite's
own promise was not kept, and with 2 for a wrong command line.
)";

struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct settings {
  bool help = false;
  std::optional<int> rounds;
  trial_options trial;
  std::string only, json, serve, with;
  std::optional<std::size_t> one;
};

double positive(std::string_view flag, std::string_view text) {
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0 && value <= 1e10))
    throw usage_error{std::string{flag} + " needs a positive number, not '" + std::string{text} + "'"};
  return value;
}

settings parse(const trial_suite& suite, std::span<char* const> arguments) {
  settings s;
  const auto has = [&](std::string_view flag) { return std::ranges::find(arguments, flag) != arguments.end(); };
  const bool quick = has("--quick");
  s.trial = {.seconds = quick ? suite.quick_seconds : suite.seconds,
             .calls = quick && suite.quick_calls != 0 ? suite.quick_calls : suite.calls};
  if (quick) s.rounds = 1;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view flag{arguments[i]};
    const auto value = [&]() -> std::string_view {
      if (i + 1 == arguments.size()) throw usage_error{std::string{flag} + " needs a value"};
      return arguments[++i];
    };
    if (flag == "--help") s.help = true;
    else if (flag == "--quick") continue;
    else if (flag == "--rounds") s.rounds = static_cast<int>(positive(flag, value()));
    else if (flag == "--seconds") s.trial.seconds = positive(flag, value());
    else if (flag == "--calls" && suite.calls != 0) s.trial.calls = static_cast<std::uint64_t>(positive(flag, value()));
    else if (flag == "--only") s.only = value();
    else if (flag == "--json") s.json = value();
    else if (flag == "--serve") s.serve = value();
    else if (flag == "--with") s.with = value();
    else if (flag == "--trial") s.one = static_cast<std::size_t>(std::stoul(std::string{value()}));
    else throw usage_error{"unknown flag: " + std::string{flag}};
  }
  return s;
}

// A trial's process: figures line by line, then "end" or "error <text>".
int run_one(const trial& t, const trial_options& options) {
  if (!t.program.empty()) {
    auto words = t.program;
    words.insert(words.end(), {"--seconds", std::to_string(options.seconds), "--calls", std::to_string(options.calls)});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    std::cout << "error cannot start " << words[0] << std::endl;  // NOLINT(performance-avoid-endl)
    return 0;
  }
  try {
    std::ostringstream lines;
    lines << std::setprecision(12);
    for (const auto& [name, value] : t.run(options)) lines << name << ' ' << value << '\n';
    std::cout << lines.str() << "end" << std::endl;  // NOLINT(performance-avoid-endl): the parent waits for it
  } catch (const std::exception& error) {
    std::cout << "error " << error.what() << std::endl;  // NOLINT(performance-avoid-endl)
  }
  return 0;
}

figures figures_of(const trial_suite& suite, std::size_t index, const settings& s) {
  child_process child{{std::string{suite.suite}, "--trial", std::to_string(index), "--seconds",
                       std::to_string(s.trial.seconds), suite.calls != 0 ? "--calls" : "--quick",
                       suite.calls != 0 ? std::to_string(s.trial.calls) : "--quick"}};
  figures f;
  for (;;) {
    const auto line = child.read_line(180s);
    if (line == "end") break;
    if (line.starts_with("error ")) throw std::runtime_error{line.substr(6)};
    const auto space = line.find(' ');
    if (space == std::string::npos) throw std::runtime_error{"not a figure: " + line};
    f[line.substr(0, space)] = std::stod(line.substr(space + 1));
  }
  if (const auto ended = child.stop(); !ended.empty()) throw std::runtime_error{ended};
  return f;
}

bool is_plain(std::string_view name) {
  return name == "p50_us" || name == "p99_us" || name == "cpu_us_client" || name == "cpu_us_server";
}

void write_json(std::ostream& out, const trial_suite& suite, const std::vector<trial_row>& rows) {
  out << R"({"suite":)" << json_string(suite.suite) << R"(,"machine":)" << json_string(describe_machine())
      << R"(,"versions":{"compiler":)" << json_string(__VERSION__) << R"(,"grpc":)" << json_string(grpc::Version())
      << R"(,"protobuf":)" << json_string(google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION))
      << R"(},"rows":[)" << std::setprecision(9);
  const char* separator = "\n";
  for (const auto& r : rows) {
    out << separator << R"({"name":)" << json_string(r.name) << R"(,"peer":)" << (r.peer ? "true" : "false")
        << R"(,"concurrency":)" << r.concurrency;
    separator = ",\n";
    if (!r.error.empty()) {
      out << R"(,"void":true,"error":)" << json_string(r.error) << "}";
      continue;
    }
    for (const auto& [name, v] : r.of) {
      out << "," << json_string(name) << ":";
      if (is_plain(name)) out << v.median;
      else out << R"({"median":)" << v.median << R"(,"min":)" << v.min << R"(,"max":)" << v.max << "}";
    }
    const auto base = std::ranges::find(rows, r.concurrency, &trial_row::concurrency);
    if (const std::string key{suite.figure};
        base->error.empty() && base->of.contains(key) && r.of.contains(key) && base->of.at(key).median > 0)
      out << R"(,"ratio":{)" << json_string(base->name) << ":" << r.of.at(key).median / base->of.at(key).median << "}";
    out << "}";
  }
  out << "\n]}\n";
}

void write_table(std::ostream& out, const std::vector<trial_row>& rows) {
  for (const auto& r : rows) {
    out << std::left << std::setw(44) << r.name << std::right << std::setw(8) << r.concurrency;
    if (!r.error.empty()) out << "  VOID: " << r.error;
    for (const auto& [name, v] : r.of) out << "  " << name << ' ' << std::setprecision(5) << v.median;
    out << '\n';
  }
}

int run_all(const trial_suite& suite, const settings& s) {
  std::vector<std::size_t> taking_part;
  for (std::size_t i = 0; i < suite.all.size(); ++i) {
    const auto& t = suite.all[i];
    if (!s.only.empty() && t.name.find(s.only) == std::string::npos) continue;
    if (!t.program.empty() && access(t.program[0].c_str(), X_OK) != 0) {
      std::cerr << "weft-bench " << suite.suite << ": left out, not built: " << t.name << '\n';
      continue;
    }
    taking_part.push_back(i);
  }
  if (taking_part.empty()) throw usage_error{"no row has '" + s.only + "' in its name"};
  const int rounds = s.rounds.value_or(suite.rounds);
  std::vector<std::vector<figures>> results(taking_part.size());
  std::vector<std::string> errors(taking_part.size());
  std::size_t turn = 0;
  interleave(taking_part.size(), rounds, [&](std::size_t i) {
    const auto& t = suite.all[taking_part[i]];
    const auto of = " of " + std::to_string(taking_part.size() * static_cast<std::size_t>(rounds)) + "] ";
    const auto title = "[" + std::to_string(++turn) + of + t.name + ", " + std::to_string(t.concurrency) + ": ";
    if (!errors[i].empty()) return;
    try {
      const auto& f = results[i].emplace_back(figures_of(suite, taking_part[i], s));
      std::cerr << title;
      for (const auto& [name, value] : f) std::cerr << name << ' ' << value << "  ";
      std::cerr << '\n';
    } catch (const std::exception& error) {
      errors[i] = error.what();
      std::cerr << title << "VOID: " << error.what() << '\n';
    }
  });
  std::vector<trial_row> rows;
  std::vector<std::string> wrong;
  for (std::size_t i = 0; i < taking_part.size(); ++i) {
    const auto& t = suite.all[taking_part[i]];
    auto& r = rows.emplace_back(trial_row{t.name, t.peer, t.concurrency, {}, errors[i]});
    if (!r.error.empty()) {
      wrong.push_back(r.name + " is void: " + r.error);
      continue;
    }
    std::map<std::string, std::vector<double>> values;
    for (const auto& f : results[i])
      for (const auto& [name, value] : f) values[name].push_back(value);
    for (auto& [name, v] : values) r.of[name] = spread_of(std::move(v));
  }
  write_table(std::cout, rows);
  if (!s.json.empty()) {
    std::ofstream json{s.json};
    write_json(json, suite, rows);
    json.close();
    if (!json) throw std::runtime_error{"cannot write " + s.json};
  }
  if (wrong.empty() && suite.verdict) wrong = suite.verdict(rows);
  for (const auto& w : wrong) std::cerr << "weft-bench " << suite.suite << ": " << w << '\n';
  return wrong.empty() ? 0 : 1;
}

void print_usage(std::ostream& out, const trial_suite& suite) {
  out << "usage: weft-bench " << suite.suite << " [--quick] [--rounds N] [--seconds S] "
      << (suite.calls != 0 ? "[--calls N] " : "") << "[--only TEXT] [--json FILE]\n\n"
      << suite.question << "\n"
      << usage;
}

}  // namespace

int run_trials(const trial_suite& suite, std::span<char* const> arguments) try {
  const auto s = parse(suite, arguments);
  if (s.help) {
    print_usage(std::cout, suite);
    return 0;
  }
  if (!s.serve.empty()) {
    const auto found = suite.servers.find(s.serve);
    if (found == suite.servers.end()) throw usage_error{"no server '" + s.serve + "'"};
    parent_link parent{.with = s.with};
    found->second(parent);
    return 0;
  }
  if (s.one) return run_one(suite.all.at(*s.one), s.trial);
  return run_all(suite, s);
} catch (const usage_error& error) {
  std::cerr << "weft-bench " << suite.suite << ": " << error.what() << "\n\n";
  print_usage(std::cerr, suite);
  return 2;
} catch (const std::exception& error) {
  std::cerr << "weft-bench " << suite.suite << ": " << error.what() << '\n';
  return 1;
}

const trial_row* find_row(const std::vector<trial_row>& rows, std::string_view name, int concurrency) {
  for (const auto& r : rows)
    if (r.name == name && (concurrency < 0 || r.concurrency == concurrency)) return &r;
  return nullptr;
}

void add_latency(figures& f, const latency_histogram& h) {
  const auto us = [&](double p) { return std::chrono::duration<double, std::micro>(h.percentile(p)).count(); };
  f["p50_us"] = us(50);
  f["p99_us"] = us(99);
  f["max_us"] = us(100);
}

std::string peer_program(std::string_view name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "peers" / name).string();
}

}  // namespace weft::bench
