#include "lobby/child_process.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using lobby::child_process;
using lobby::child_processes;

namespace {

child_process& start_shell(child_processes& all, std::string script) {
  return all.start("shell", {"/bin/sh", "-c", std::move(script)});
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD; }

}  // namespace

TEST_CASE("what a child says is read line by line, to the end of a line that is not ended") {
  child_processes all;
  auto& child = start_shell(all, "echo one; echo two; echo three >&2; printf four");
  REQUIRE(all.wait(30s, [&] { return !child.running(); }));
  CHECK(child.succeeded());
  CHECK(child.output() == std::vector<std::string>{"one", "two", "four"});
  CHECK(child.errors() == std::vector<std::string>{"three"});
}

TEST_CASE("a child that ended badly is reported with what it said last") {
  child_processes all;
  auto& child = start_shell(all, "echo out of cards >&2; exit 3");
  REQUIRE(all.wait(30s, [&] { return !child.running(); }));
  CHECK_FALSE(child.succeeded());
  CHECK(child.report() == "shell has ended with code 3, and said:\n  out of cards");
}

TEST_CASE("a program that does not exist ends with code 127 and says why") {
  child_processes all;
  auto& child = all.start("ghost", {"/no/such/program"});
  REQUIRE(all.wait(30s, [&] { return !child.running(); }));
  CHECK(child.report() == "ghost has ended with code 127, and said:\n  No such file or directory");
}

TEST_CASE("stop ends children by SIGTERM and names none") {
  child_processes all;
  auto& child = start_shell(all, "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
  REQUIRE(all.wait(30s, [&] { return !child.output().empty(); }));
  CHECK(all.stop(30s).empty());
  CHECK(child.succeeded());
  CHECK(child.output().back() == "bye");
}

TEST_CASE("stop kills and names a child that does not end") {
  child_processes all;
  auto& child = start_shell(all, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
  REQUIRE(all.wait(30s, [&] { return !child.output().empty(); }));
  CHECK(all.stop(50ms) == std::vector<std::string>{"shell"});
  CHECK_FALSE(child.running());
}

TEST_CASE("an interrupted program waits no longer, and still stops its children") {
  child_processes all;
  start_shell(all, "exec sleep 1000");
  ::raise(SIGINT);
  CHECK_FALSE(all.wait(30s, [] { return false; }));
  CHECK(all.interrupted());
  CHECK(all.stop(30s).empty());
  CHECK(all.interrupted());
}

TEST_CASE("children that run are killed and waited for when they are forgotten") {
  {
    child_processes all;
    start_shell(all, "exec sleep 1000");
    CHECK(has_children());
  }
  CHECK_FALSE(has_children());
}

TEST_CASE("a child inherits no descriptors and no blocked signals") {
  child_processes all;
  start_shell(all, "exec sleep 1000");  // its pipes are open here
  auto& child = start_shell(all, "ls /proc/self/fd | tr '\\n' ' '; grep SigBlk /proc/self/status");
  REQUIRE(all.wait(30s, [&] { return !child.running(); }));
  REQUIRE(child.output().size() == 1);
  CHECK(child.output().front() == "0 1 2 3 SigBlk:\t0000000000000000");  // 3: the folder that ls reads
}
