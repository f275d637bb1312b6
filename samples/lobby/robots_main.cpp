// Robots that play crazy eights at a lobby's gate over TCP, and say how long it took to answer them.
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <limits>
#include <variant>
#include <weft/runtime/io.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/when_all.hpp>

#include "lobby/flags.hpp"
#include "lobby/robots.hpp"

namespace {

constexpr const char* usage = R"(usage: robots [flags]

  --address HOST:PORT  the gate (127.0.0.1:7000)
  --robots N           how many players, 2 or more (32)
  --seconds S          how long they begin new games (10); the last ones may take 5 s longer
  --seed N             the same seed, the same players (1)
  --json FILE          write the result there too
  --progress           how it goes, once a second, to stderr; so without it too on a terminal
  --quiet              neither that nor the summary
  --help               this

Exit code: 0; 1 when a robot could not connect or was let down by the gate; 2 for wrong flags.
)";

constexpr std::array known{lobby::flag{"--address"},      lobby::flag{"--robots"},     lobby::flag{"--seconds"},
                           lobby::flag{"--seed"},         lobby::flag{"--json"},       lobby::flag{"--progress", false},
                           lobby::flag{"--quiet", false}, lobby::flag{"--help", false}};

struct settings {
  lobby::robots_options play;
  std::string json;
  bool progress = false;
  bool quiet = false;
  bool help = false;
};

weft::result<settings> read_flags(int argc, char** argv) {
  const auto given = lobby::flags::parse({argv + 1, static_cast<std::size_t>(argc - 1)}, known);
  if (!given.ok()) return given.status();
  const auto robots = given->number("--robots", 32, 2, 100'000);
  if (!robots.ok()) return robots.status();
  const auto seconds = given->number("--seconds", 10, 1, 1'000'000);
  if (!seconds.ok()) return seconds.status();
  const auto seed = given->number("--seed", 1, 0, std::numeric_limits<std::uint64_t>::max());
  if (!seed.ok()) return seed.status();

  settings s;
  s.play.address = given->text("--address", s.play.address);
  s.play.robots = static_cast<int>(*robots);
  s.play.time = std::chrono::seconds{*seconds};
  s.play.seed = *seed;
  s.json = given->text("--json");
  s.quiet = given->has("--quiet");
  s.progress = !s.quiet && (given->has("--progress") || ::isatty(STDERR_FILENO) == 1);
  s.help = given->has("--help");
  return s;
}

// A robot takes a file descriptor.
void allow_many_sockets() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

weft::task<> show_progress(const lobby::tally& counts, bool wanted) {
  for (int second = 1;; ++second) {
    if (auto slept = co_await weft::sleep_for(std::chrono::seconds{1}); !slept.ok()) co_return;
    if (wanted) std::cerr << second << " s: " << progress_of(counts) << '\n';
  }
}

weft::task<weft::status> play_unless_interrupted(weft::io& sockets, weft::signals& interrupts, weft::runtime& rt,
                                                 const settings& s, lobby::tally& counts) {
  auto ended = co_await weft::race(play(sockets, rt.control(), rt.time(), s.play, counts),
                                   show_progress(counts, s.progress), interrupts.next());
  if (auto* played = std::get_if<weft::status>(&ended)) co_return std::move(*played);
  co_return weft::cancelled("interrupted");
}

bool write(const std::string& file, const std::string& text) {
  std::ofstream out{file};
  out << text << '\n';
  return out.flush().good();
}

}  // namespace

int main(int argc, char** argv) {
  const auto read = read_flags(argc, argv);
  if (!read.ok()) {
    std::cerr << "robots: " << read.status().message() << " (see robots --help)\n";
    return 2;
  }
  const auto& s = *read;
  if (s.help) {
    std::cout << usage;
    return 0;
  }
  allow_many_sockets();

  lobby::tally counts;
  weft::status outcome;
  {
    weft::runtime rt;
    weft::io sockets;
    weft::signals interrupts{sockets, {SIGINT, SIGTERM}};
    outcome = weft::sync_wait(rt, play_unless_interrupted(sockets, interrupts, rt, s, counts));
  }
  if (!s.quiet && counts.commands + counts.errors > 0) std::cout << lobby::to_text(counts);
  if (!s.json.empty() && !write(s.json, lobby::to_json(counts))) outcome = weft::unavailable("cannot write " + s.json);
  if (outcome.ok() && counts.robots_failed > 0) {
    outcome = weft::unavailable(std::to_string(counts.robots_failed) + " robots were let down, the first was " +
                                counts.first_failure);
  }
  if (outcome.ok()) return 0;
  std::cerr << "robots: " << outcome.message() << '\n';
  return 1;
}
