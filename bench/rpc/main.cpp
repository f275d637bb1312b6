#include <iostream>
#include <span>
#include <string_view>
#include <weft/bench/rpc/suites.hpp>

namespace {

struct suite {
  std::string_view name;
  int (*run)(std::span<char* const>);
  std::string_view question;
};

constexpr suite suites[] = {
    {"local", weft::bench::run_local, "what does a call between two services of one process cost?"},
    {"memory", weft::bench::run_memory, "what does a suspended player cost in memory?"},
    {"unary", weft::bench::run_unary, "what does a unary call cost, beside a raw completion queue?"},
    {"session", weft::bench::run_session, "what does a call over a session cost, beside unary calls and bare streams?"},
    {"in_flight", weft::bench::run_in_flight, "do 10,000 calls in flight disturb a ticker on the same strand?"},
    {"order", weft::bench::run_order,
     "which calls of a player are overtaken, over sessions, pools and lanes by method?"},
    {"path", weft::bench::run_path, "what does a player's frame wait for its reply frame, by the load?"},
    {"player", weft::bench::run_player, "what does a player feel whose chat is slow?"},
    {"retry", weft::bench::run_retry, "what does retry machinery cost, and what does it save?"},
    {"fanout", weft::bench::run_fanout, "what does an event cost for everybody in a room, one of whom has stopped?"},
    {"limit", weft::bench::run_limit, "how many calls at a time are best?"},
    {"scale", weft::bench::run_scale, "how does cost grow with players and with services?"},
    {"workers", weft::bench::run_workers, "what caps the handlers that are in progress?"},
    {"pool", weft::bench::run_pool, "what does a pool of connections bring, and what does it do to order?"},
    {"locks", weft::bench::run_locks, "one routine or a lock?"},
    {"idle", weft::bench::run_idle, "what does a server cost that nobody calls?"},
    {"large", weft::bench::run_large, "what do small calls wait beside large ones on the same session?"},
    {"flood", weft::bench::run_flood, "what does a service wait beside one that gets ten times its load?"},
};

void print_usage(std::ostream& out) {
  out << "usage: weft-bench [SUITE [FLAGS]]\n\nWithout a suite all run. weft-bench SUITE --help tells its flags, "
         "--list their names and questions.\n\n";
  for (const auto& s : suites) out << "  " << s.name << ": " << s.question << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  const std::span<char* const> arguments{argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)};
  if (!arguments.empty() && std::string_view{arguments[0]} == "--help") {
    print_usage(std::cout);
    return 0;
  }
  if (!arguments.empty() && std::string_view{arguments[0]} == "--list") {
    for (const auto& s : suites) std::cout << s.name << '\t' << s.question << '\n';
    return 0;
  }
  const bool all = arguments.empty() || arguments[0][0] == '-';
  int worst = 0;
  for (const auto& s : suites) {
    if (all) {
      std::cout << "\n" << s.name << ": " << s.question << "\n" << std::flush;
      worst = std::max(worst, s.run(arguments));
    } else if (s.name == arguments[0]) {
      return s.run(arguments.subspan(1));
    }
  }
  if (all) return worst;
  std::cerr << "weft-bench: no suite '" << arguments[0] << "'\n\n";
  print_usage(std::cerr);
  return 2;
}
