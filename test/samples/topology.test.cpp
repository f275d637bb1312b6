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
    const auto t = lobby::parse_topology(R"({"chat": {"local": true, "address": "127.0.0.1:1"}})", "file.json");
    CHECK(t.status() == weft::invalid_argument("file.json: 'chat' must be either local or have an address"));
  }

  TEST_CASE("a service without a place is local") {
    const auto t = lobby::parse_topology("{}", "file.json");
    REQUIRE(t.ok());
    CHECK(t->chat().local());
    CHECK(t->turn_ms() == 30'000);
  }

  TEST_CASE("a file that cannot be read is named") {
    CHECK(lobby::read_topology("/nowhere/x.json").status() ==
          weft::not_found("cannot read the topology file '/nowhere/x.json'"));
    CHECK(lobby::read_topology("/").status() == weft::not_found("cannot read the topology file '/'"));
  }
}
