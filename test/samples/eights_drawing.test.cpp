// Drawing, passing, and rounds in which nobody can go on.
#include "lobby/eights.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../support/eights_positions.hpp"

using namespace test;

TEST_CASE("a drawn card joins the hand and the turn stays") {
  eights game(2, 1);
  CHECK_FALSE(game.last_drawn());
  CHECK(game.draw(0) == refusal::none);
  CHECK(game.hand_size(0) == 8);
  CHECK(game.last_drawn() == game.hand(0).back());
  CHECK(game.stock_size() == 36);
  CHECK(game.turn() == 0);
}

TEST_CASE("after three draws in a turn one must play or pass") {
  eights game(2, 1);
  for (int i = 0; i < eights::draws_per_turn; ++i) {
    CHECK(game.draw(0) == refusal::none);
  }
  CHECK_FALSE(game.can_draw(0));
  CHECK(game.draw(0) == refusal::cannot_draw);
  CHECK(game.pass(0) == refusal::none);
  CHECK(game.can_draw(1));
}

TEST_CASE("one may not pass before drawing while a card is left to draw") {
  eights game(2, 1);
  CHECK_FALSE(game.can_pass(0));
  CHECK(game.pass(0) == refusal::cannot_pass);
  CHECK(game.draw(0) == refusal::none);
  CHECK(game.pass(0) == refusal::none);
  CHECK(game.turn() == 1);
}

TEST_CASE("with nothing left to draw one may only play or pass") {
  eights game(2, 1);
  while (game.stock_size() > 0) {
    hoard(game);
  }
  const int seat = game.turn();
  CHECK(game.draw(seat) == refusal::cannot_draw);
  CHECK(game.pass(seat) == refusal::none);
}

TEST_CASE("an empty stock is refilled from the discards below the top") {
  const auto stock_ran_out = [](const eights& game) {
    return game.stock_size() == 0 && game.can_draw(game.turn()) && game.hand_size(0) + game.hand_size(1) < 45;
  };
  auto game = position_where(2, stock_ran_out);
  const card top = game.top();
  const auto discards = deck_size - game.hand_size(0) - game.hand_size(1);
  REQUIRE(game.draw(game.turn()) == refusal::none);
  CHECK(game.top() == top);
  CHECK(game.stock_size() == discards - 2);  // all but the top and the card drawn
  CHECK(game.cards_in_play() == deck_size);
}

TEST_CASE("a refilled stock is the discards in a new order") {
  eights game(2, 1);
  random_source random(2);
  std::vector<card> discards{game.top()};
  while (game.stock_size() > 0 || discards.size() < 10) {
    move_at_random(game, random);
    if (game.top() != discards.back()) {
      discards.push_back(game.top());
    }
    REQUIRE(game.phase() != game_phase::over);
  }
  discards.pop_back();
  std::vector<card> drawn;
  while (drawn.size() < discards.size()) {
    if (!game.can_draw(game.turn())) {
      REQUIRE(game.pass(game.turn()) == refusal::none);
    }
    REQUIRE(game.draw(game.turn()) == refusal::none);
    drawn.push_back(*game.last_drawn());
  }
  CHECK(std::ranges::is_permutation(drawn, discards));
  CHECK_FALSE(std::ranges::equal(drawn, discards));
  std::ranges::reverse(drawn);
  CHECK_FALSE(std::ranges::equal(drawn, discards));
}

TEST_CASE("a blocked round goes to the fewest points in hand") {
  for (int players = eights::min_players; players <= eights::max_players; ++players) {
    const auto game = blocked_game(players, 3);
    REQUIRE(game.winner());
    int others = 0;
    for (int seat = 0; seat < players; ++seat) {
      CHECK(points_of(game.hand(*game.winner())) <= points_of(game.hand(seat)));
      others += seat == *game.winner() ? 0 : points_of(game.hand(seat));
    }
    CHECK(game.points() == others);
  }
}

TEST_CASE("a blocked round with equal points goes to the lowest seat") {
  std::uint64_t seed = 1;
  const auto tied = [](const eights& game) { return points_of(game.hand(0)) == points_of(game.hand(1)); };
  while (!tied(blocked_game(2, seed))) {
    ++seed;
  }
  CHECK(blocked_game(2, seed).winner() == 0);
}

TEST_CASE("a card played between passes keeps the round open") {
  eights game(2, 1);
  while (game.stock_size() > 0) {
    hoard(game);
  }
  const auto plain = [](card c) { return !is_eight(c); };
  while (std::ranges::none_of(game.legal_plays(game.turn()), plain)) {
    REQUIRE(game.pass(game.turn()) == refusal::none);
  }
  const auto plays = game.legal_plays(game.turn());
  REQUIRE(game.play(game.turn(), *std::ranges::find_if(plays, plain)) == refusal::none);
  hoard(game);  // draws back the one card below the top
  CHECK(game.phase() == game_phase::playing);
  CHECK(game.pass(game.turn()) == refusal::none);
  CHECK(game.phase() == game_phase::over);
}
