#include <doctest/doctest.h>

#include "lobby/topology.hpp"

TEST_SUITE("topology") {
  TEST_CASE("an unknown field is an error with its line") {
    const auto t = lobby::parse_topology("{\n \"listen\":\"x\",\n \"chatt\": {}\n}", "file.json");
    CHECK(t.code() == weft::code::invalid_argument);
    CHECK(t.status().message().starts_with("file.json:3: "));
    CHECK(t.status().message().find("chatt") != std::string::npos);
  }

  TEST_CASE("a syntax error is an error with its line") {
    const auto t = lobby::parse_topology("{\n \"listen\":\"x\",\n \"chat\": {,}\n}", "file.json");
    CHECK(t.status().message().starts_with("file.json:3: "));
  }

  TEST_CASE("a place that is local and has an address is an error that names it") {
    const auto t =
        lobby::parse_topology(R"({"listen": "x", "chat": {"local": true, "address": "127.0.0.1:1"}})", "file.json");
    CHECK(t.status() == weft::invalid_argument("file.json: 'chat' must be either local or have an address"));
  }

  TEST_CASE("a topology that does not say where players connect is an error that says so") {
    CHECK(lobby::parse_topology("{}", "file.json").status() ==
          weft::invalid_argument("file.json: 'listen' is missing: where players connect, such as \"127.0.0.1:7000\""));
  }

  TEST_CASE("a service without a place is local") {
    const auto t = lobby::parse_topology(R"({"listen": "127.0.0.1:7000"})", "file.json");
    REQUIRE(t.ok());
    CHECK(t->chat().local());
    CHECK(t->turn_ms() == 30'000);
  }

  TEST_CASE("a limit that is not given has its default, next to one that is") {
    const auto t = lobby::parse_topology(R"({"listen": "127.0.0.1:7000", "chatLines": {"running": 7}})", "file.json");
    REQUIRE(t.ok());
    CHECK(t->chat_lines().running() == 7);
    CHECK(t->chat_lines().waiting() == 4'096);
    CHECK(t->card_commands().running() == 4'096);
    CHECK(t->saves().empty());
  }

  TEST_CASE("a file that cannot be read is named") {
    CHECK(lobby::read_topology("/nowhere/x.json").status() ==
          weft::not_found("cannot read the topology file '/nowhere/x.json'"));
    CHECK(lobby::read_topology("/").status() == weft::not_found("cannot read the topology file '/'"));
  }
}
