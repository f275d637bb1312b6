// The programs of samples/embed do what they say. (That weft keeps to a frame's budget depends on the machine: see --check.)
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "lobby/child_process.hpp"

using namespace std::chrono_literals;

namespace {

struct outcome {
  bool succeeded;
  std::string out;
  std::string errors;
};

outcome run(std::vector<std::string> command) {
  lobby::child_processes all;
  auto& child = all.start("program", std::move(command));
  REQUIRE(all.wait(120s, [&] { return !child.running(); }));
  const auto join = [](const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text.append(line).append("\n");
    return text;
  };
  return {child.succeeded(), join(child.output()), join(child.errors())};
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// What a program says beside the monitor's warnings of long runs, which a busy machine makes true.
std::string complaints(const std::string& errors) {
  std::istringstream lines{errors};
  std::string line, rest;
  while (std::getline(lines, line)) {
    if (!contains(line, " weft: W ") || !contains(line, " ran for ")) rest += line + "\n";
  }
  return rest;
}

}  // namespace

TEST_SUITE("embed") {
  TEST_CASE("the loops around Asio and epoll answer every call, while their own timers go on") {
    for (const std::string program : {ASIO_LOOP, EPOLL_LOOP}) {
      CAPTURE(program);
      const auto o = run({program, "--calls", "5"});
      CHECK(o.succeeded);
      CHECK(complaints(o.errors) == "");
      CHECK(contains(o.out, "500 of 500 calls were answered, and "));
      CHECK_FALSE(contains(o.out, " 0 ticks"));
    }
  }

  TEST_CASE("the frame loop prints how long its frames spent in weft") {
    const auto o = run({GAME_LOOP, "--seconds", "1", "--in-flight", "100", "--rate", "2000", "--waiter"});
    CHECK(o.succeeded);
    CHECK(complaints(o.errors) == "");
    for (const auto* part :
         {"session, ", "unary, ", "nothing to do, without", "nothing to do, with a", "p99.9", "##"}) {
      CAPTURE(part);
      CHECK(contains(o.out, part));
    }
  }

  TEST_CASE("each program helps, and refuses what it does not know") {
    for (const std::string program : {ASIO_LOOP, EPOLL_LOOP, GAME_LOOP}) {
      CAPTURE(program);
      const auto help = run({program, "--help"});
      CHECK(help.succeeded);
      CHECK(contains(help.out, "usage: "));
      const auto wrong = run({program, "--no-such-flag"});
      CHECK_FALSE(wrong.succeeded);
      CHECK(contains(wrong.errors, "--no-such-flag"));
    }
  }
}
