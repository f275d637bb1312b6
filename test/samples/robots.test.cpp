#include "lobby/robots.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "lobby/demo_report.hpp"

using namespace std::chrono_literals;
using namespace lobby;

TEST_CASE("every robot finds a full table of 2 to 4") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    for (int robots = 2; robots < 40; ++robots) {
      const auto sizes = table_sizes(robots, seed);
      REQUIRE(std::ssize(sizes) == robots);
      for (std::uint32_t size = 1; size <= 5; ++size) {
        const auto of_size = std::count(sizes.begin(), sizes.end(), size);
        REQUIRE(of_size % size == 0);
        if (size < 2 || size > 4) REQUIRE(of_size == 0);
      }
    }
  }
}

TEST_CASE("table sizes follow from the seed") {
  CHECK(table_sizes(32, 7) == table_sizes(32, 7));
  CHECK(table_sizes(32, 7) != table_sizes(32, 8));
}

TEST_CASE("a tally as JSON is read back by the demo") {
  tally t;
  t.games = 3;
  t.commands = 100;
  t.pairs = 5;
  t.overtaken = 2;
  t.error("card: it is \"not\" your turn");
  t.chat_errors["DEADLINE_EXCEEDED"] = 4;
  for (int i = 0; i < 99; ++i) t.card.record(2ms);
  t.card.record(80ms);
  t.chat.record(200ms);
  const auto read = parse_run_result(to_json(t));
  REQUIRE(read.ok());
  CHECK(read->games == 3);
  CHECK(read->commands == 100);
  CHECK(read->pairs == 5);
  CHECK(read->overtaken == 2);
  CHECK(read->errors == 5);
  CHECK(read->card_p50_ms == doctest::Approx(2).epsilon(0.01));
  CHECK(read->chat_p50_ms == doctest::Approx(200).epsilon(0.01));
  CHECK(read->complaints == std::vector<std::string>{"1 x card: it is \"not\" your turn"});
  CHECK(parse_run_result("no JSON").code() == weft::code::invalid_argument);
}

TEST_CASE("a tally keeps a bounded number of complaints") {
  tally t;
  for (int i = 0; i < 100; ++i) t.error(std::to_string(i));
  t.error("0");
  CHECK(t.errors == 101);
  CHECK(t.complaints.size() == tally::most_complaints);
  CHECK(t.complaints["0"] == 2);
}
