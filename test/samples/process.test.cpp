#include "lobby/process.hpp"

#include <doctest/doctest.h>

#include <csignal>

#include "../support/temporary_file.hpp"
#include "lobby/child_process.hpp"
#include "lobby/demo_report.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;

TEST_CASE("a lobby that is asked for dumps, and to end, over and over ends in order") {
  const temporary_file topology{R"({"listen": "127.0.0.1:0"})"};
  child_processes all;
  auto& served = all.start("lobby", {LOBBY_BINARY, "--role", "all", "--config", topology.name()});
  REQUIRE_MESSAGE(all.wait(30s, [&] { return !served.running() || !served.output().empty(); }), served.report());
  for (int i = 0; i < 500; ++i) served.signal(SIGUSR1);
  const auto ended = [&] { return !served.running(); };
  bool has_ended = false;
  for (int i = 0; i < 300 && !has_ended; ++i) {
    served.signal(SIGTERM);
    served.signal(SIGTERM);
    has_ended = all.wait(100ms, ended);
  }
  REQUIRE(has_ended);
  REQUIRE_MESSAGE(served.succeeded(), served.report());
  const auto left = parse_left_over(served.output().back());
  CHECK((left && left->nothing()));
}
