// The same load on the same lobby several times, which differ in how a player's messages are handled and how services
// are called; and the table.
#include <array>
#include <csignal>
#include <fstream>
#include <iostream>
#include <limits>

#include "lobby/demo_run.hpp"
#include "lobby/flags.hpp"

namespace {

constexpr const char* usage = R"(usage: demo [flags]

Starts a lobby as three processes (gate, cards, chat) and robots as a fourth, five times; chat answers after 200 ms.
Handled in one queue a player, cards wait for chat; with a task per message, cards overtake each other; lanes do neither,
whether the services are called in one process, by unary calls, or over sessions as in the first two.

  --seconds S  how long the robots play, each time (10); games that run may take 5 s longer
  --robots N   how many, 2 or more (32)
  --seed N     the same seed, the same robots (1)
  --json FILE  write the table there too
  --help       this

Exit code: 0; 1 when the table does not show that, or something went wrong; 2 for wrong flags; 130 when interrupted.
With fewer robots or less time no command may happen to be overtaken: the demo says so then, and its exit code is 0.
)";

constexpr std::array known{lobby::flag{"--seconds"}, lobby::flag{"--robots"}, lobby::flag{"--seed"},
                           lobby::flag{"--json"}, lobby::flag{"--help", false}};
constexpr int exit_interrupted = 128 + SIGINT;

struct settings {
  lobby::demo_options run;
  std::string json;
  bool help = false;
};

weft::result<settings> read_flags(int argc, char** argv) {
  const auto given = lobby::flags::parse({argv + 1, static_cast<std::size_t>(argc - 1)}, known);
  if (!given.ok()) return given.status();
  settings s;
  const auto seconds = given->number("--seconds", s.run.seconds, 1, 86'400);
  if (!seconds.ok()) return seconds.status();
  const auto robots = given->number("--robots", s.run.robots, 2, 100'000);
  if (!robots.ok()) return robots.status();
  const auto seed = given->number("--seed", s.run.seed, 0, std::numeric_limits<std::uint64_t>::max());
  if (!seed.ok()) return seed.status();
  s.run = {.seconds = *seconds, .robots = *robots, .seed = *seed};
  s.json = given->text("--json");
  s.help = given->has("--help");
  return s;
}

weft::result<lobby::demo_report> run_all(const lobby::demo_options& options) {
  lobby::child_processes children;
  lobby::demo_run demo{children, options};
  lobby::demo_report report;
  const lobby::demo_options usual;
  report.small_load = options.robots < usual.robots || options.seconds < usual.seconds;
  for (std::size_t i = 0; i < lobby::ways.size(); ++i) {
    const auto& how = lobby::ways[i];
    std::cout << how.title << ": " << options.robots << " robots, " << options.seconds << " s ...\n" << std::flush;
    auto result = demo.run(how, report);
    if (!result.ok()) return weft::status{result.code(), std::string{how.title} + ": " + result.status().message()};
    report.runs[i] = std::move(*result);
  }
  return report;
}

bool write(const std::string& file, const std::string& text) {
  std::ofstream out{file};
  out << text << '\n';
  return out.flush().good();
}

}  // namespace

int main(int argc, char** argv) {
  const auto s = read_flags(argc, argv);
  if (!s.ok()) {
    std::cerr << "demo: " << s.status().message() << " (see demo --help)\n";
    return 2;
  }
  if (s->help) {
    std::cout << usage;
    return 0;
  }
  const auto report = run_all(s->run);
  if (!report.ok()) {
    std::cerr << "demo: " << report.status().message() << '\n';
    return report.code() == weft::code::cancelled ? exit_interrupted : 1;
  }
  std::cout << '\n'
            << to_table(*report) << "\na player in a call to chat, as the gate's dump shows it:\n  "
            << report->dump_line << "\n\nleft after exit: " << report->left.tasks << " tasks, " << report->left.calls
            << " calls, " << report->left.fds << " fds\n";
  if (!s->json.empty() && !write(s->json, to_json(*report))) {
    std::cerr << "demo: cannot write " << s->json << '\n';
    return 1;
  }
  const auto broken = broken_promises(*report);
  for (const auto& promise : broken) std::cerr << "demo: the promise is not kept: " << promise << '\n';
  for (const auto& what : not_shown(*report))
    std::cerr << "demo: the load was too small to show this: " << what << '\n';
  return broken.empty() ? 0 : 1;
}
