#include "lobby/process.hpp"

#include <doctest/doctest.h>

#include <csignal>

#include "../support/temporary_file.hpp"
#include "lobby/child_process.hpp"
#include "lobby/demo_report.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;

TEST_CASE("a lobby that is asked for dumps over and over, and twice to end, ends in order") {
  const temporary_file topology{R"({"listen": "127.0.0.1:0"})"};
  child_processes all;
  auto& served = all.start("lobby", {LOBBY_BINARY, "--role", "all", "--config", topology.name()});
  REQUIRE_MESSAGE(all.wait(30s, [&] { return !served.running() || !served.output().empty(); }), served.report());
  for (int i = 0; i < 500; ++i) served.signal(SIGUSR1);
  served.signal(SIGTERM);
  served.signal(SIGTERM);
  REQUIRE(all.wait(30s, [&] { return !served.running(); }));
  REQUIRE_MESSAGE(served.succeeded(), served.report());
  const auto left = parse_left_over(served.output().back());
  CHECK((left && left->nothing()));
}
