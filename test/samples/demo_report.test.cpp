#include "lobby/demo_report.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>

using namespace lobby;

namespace {

demo_report good_report() {
  demo_report r;
  r.runs[0] = {.games = 30, .commands = 1600, .card_p50_ms = 4, .card_p99_ms = 209, .chat_p50_ms = 204};
  r.runs[1] = {.games = 48,
               .commands = 3300,
               .card_p50_ms = 3,
               .card_p99_ms = 5,
               .chat_p50_ms = 203,
               .pairs = 120,
               .overtaken = 36};
  for (const std::size_t lanes : {2U, 3U, 4U}) {
    r.runs[lanes] = {.games = 44, .commands = 3100, .card_p50_ms = 3.25, .card_p99_ms = 7, .chat_p50_ms = 203};
  }
  r.dump_line = "player: /lobby.v1.Chat/Say";
  return r;
}

// The one promise that is broken.
std::string broken(const demo_report& r) {
  const auto all = broken_promises(r);
  REQUIRE(all.size() == 1);
  return all.front();
}

}  // namespace

TEST_CASE("the table's promises are kept") { CHECK(broken_promises(good_report()).empty()); }

TEST_CASE("each promise that is not kept is named") {
  auto r = good_report();
  r.runs[0].card_p99_ms = 150;
  CHECK(broken(r) == "queue: card p99 is 150.0 ms, not above 150 ms");
  r = good_report();
  r.runs[1].overtaken = 0;
  CHECK(broken(r) == "spawn: no command was overtaken");
  r = good_report();
  r.runs[4].games = 0;
  CHECK(broken(r) == "lanes: no game was finished");
  r = good_report();
  r.runs[4].card_p99_ms = 10;
  CHECK(broken(r) == "lanes: card p99 is 10.0 ms, not below 10 ms");
  r = good_report();
  r.runs[4].overtaken = 1;
  CHECK(broken(r) == "lanes: 1 commands were overtaken");
  r = good_report();
  r.runs[4].errors = 2;
  r.runs[4].complaints = {"2 x card: NOT_FOUND: no table"};
  CHECK(broken(r) == "lanes: 2 errors; 2 x card: NOT_FOUND: no table");
  r = good_report();
  r.runs[3].overtaken = 1;
  CHECK(broken(r) == "lanes_unary: 1 commands were overtaken");
  r = good_report();
  r.left.fds = 1;
  CHECK(broken(r) == "after exit 0 tasks, 0 calls, 1 fds are left");
  r = good_report();
  r.dump_line.clear();
  CHECK(broken(r) == "lanes: the gate's dump never showed a player in a chat call");
}

TEST_CASE("that nothing was overtaken proves nothing when few commands could be, and is said") {
  auto r = good_report();
  r.small_load = true;
  r.runs[1].pairs = enough_pairs - 1;
  CHECK(not_shown(r).empty());  // it was shown all the same
  r.runs[1].overtaken = 0;
  CHECK(broken_promises(r).empty());
  REQUIRE(not_shown(r).size() == 1);
  CHECK(
      not_shown(r).front() ==
      "spawn: no command was overtaken, but only 29 were sent right behind another: with more robots or more time, as "
      "by default, some are");
  r.runs[1].pairs = enough_pairs;
  CHECK(broken(r) == "spawn: no command was overtaken");
  CHECK(not_shown(r).empty());
}

TEST_CASE("with the default load something has to be overtaken, however few commands could be") {
  auto r = good_report();
  r.runs[1].pairs = 0;
  r.runs[1].overtaken = 0;
  CHECK(broken(r) == "spawn: no command was overtaken");
  CHECK(not_shown(r).empty());
}

TEST_CASE("the table has a row for each way, and JSON an object") {
  const auto table = to_table(good_report());
  CHECK(table.find("one queue a player        30      1600      4.0 ms    209.0 ms    204.0 ms          0       0\n") !=
        std::string::npos);
  for (const auto& way : ways) CHECK(table.find(std::string{"\n"} + way.title + "  ") != std::string::npos);
  CHECK(
      to_json(good_report())
          .ends_with(
              R"("lanes":{"games":44,"commands":3100,"card_p50_ms":3.250,"card_p99_ms":7.000,"chat_p50_ms":203.000,"overtaken":0,"errors":0}})"));
}

TEST_CASE("what a server left is read from its last line") {
  const auto left = parse_left_over("left tasks=1 calls=2 fds=-3");
  REQUIRE(left);
  CHECK(left->tasks == 1);
  CHECK(left->calls == 2);
  CHECK(left->fds == -3);
  CHECK_FALSE(parse_left_over("ready gate"));
}
