// Players who let time run out, or leave.
#include "lobby/eights.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "../support/eights_positions.hpp"

using namespace test;

TEST_CASE("a timeout draws one card and passes") {
  eights game(2, 1);
  game.timeout();
  CHECK(game.hand_size(0) == 8);
  CHECK(game.turn() == 1);
}

TEST_CASE("a timeout after a draw passes without drawing again") {
  eights game(2, 1);
  CHECK(game.draw(0) == refusal::none);
  game.timeout();
  CHECK(game.hand_size(0) == 8);
  CHECK(game.turn() == 1);
}

TEST_CASE("a timeout nominates the suit most frequent in the hand") {
  auto game = game_awaiting_a_suit(2);
  const auto counts = count_suits(game.hand(0));
  game.timeout();
  CHECK(counts[static_cast<std::size_t>(game.suit_to_match())] == std::ranges::max(counts));
  CHECK(game.turn() == 1);
}

TEST_CASE("a timeout nominates the lowest of equally frequent suits") {
  const auto tied = [](const eights& game) {
    const auto counts = count_suits(game.hand(game.turn()));
    return game.phase() == game_phase::choosing && counts[1] == counts[3] && counts[1] > counts[0] &&
           counts[1] > counts[2];
  };
  auto game = position_where(2, tied);
  game.timeout();
  CHECK(game.suit_to_match() == suit::diamonds);
}

TEST_CASE("a game of timeouts alone is blocked in the end") {
  eights game(4, 1);
  while (game.phase() != game_phase::over) {
    game.timeout();
    REQUIRE(game.cards_in_play() == deck_size);
  }
  CHECK(game.stock_size() == 0);
  CHECK(game.winner());
}

TEST_CASE("who leaves puts its cards under the stock") {
  eights game(3, 1);
  const auto cards = hand_of(game, 2);
  const auto stock = game.stock_size();
  game.leave(2);
  CHECK_FALSE(game.seated(2));
  CHECK(game.hand_size(2) == 0);
  CHECK(game.players() == 3);
  CHECK(game.stock_size() == stock + cards.size());
  CHECK(game.cards_in_play() == deck_size);
  while (game.stock_size() > 0) {
    const bool under = game.stock_size() <= cards.size();
    if (!game.can_draw(game.turn())) {
      REQUIRE(game.pass(game.turn()) == refusal::none);
    }
    REQUIRE(game.draw(game.turn()) == refusal::none);
    REQUIRE((std::ranges::count(cards, *game.last_drawn()) == 1) == under);
  }
}

TEST_CASE("who leaves on its turn passes the turn on and is skipped from then on") {
  eights game(3, 1);
  game.leave(0);
  CHECK(game.turn() == 1);
  hoard(game);
  CHECK(game.turn() == 2);
  hoard(game);
  CHECK(game.turn() == 1);
  CHECK(game.draw(0) == refusal::no_such_seat);
}

TEST_CASE("who leaves out of turn leaves the turn where it is") {
  eights game(3, 1);
  REQUIRE(game.draw(0) == refusal::none);
  game.leave(1);
  CHECK(game.turn() == 0);
  CHECK(game.pass(0) == refusal::none);
  CHECK(game.turn() == 2);
}

TEST_CASE("an eight whose player leaves before choosing keeps its own suit") {
  auto game = game_awaiting_a_suit(3);
  game.leave(0);
  CHECK(game.phase() == game_phase::playing);
  CHECK(game.suit_to_match() == game.top().s);
  CHECK(game.turn() == 1);
}

TEST_CASE("the last player seated wins") {
  eights game(3, 1);
  game.leave(1);
  CHECK_FALSE(game.winner());
  game.leave(0);
  CHECK(game.phase() == game_phase::over);
  CHECK(game.winner() == 2);
  CHECK(game.points() == 0);
  CHECK(game.cards_in_play() == deck_size);
}

TEST_CASE("leaving a seat that is empty changes nothing") {
  eights game(3, 1);
  game.leave(1);
  const auto before = game;
  game.leave(1);
  game.leave(-1);
  game.leave(3);
  CHECK(game == before);
}

TEST_CASE("cards of a leaver reopen a round that was about to be blocked") {
  eights game(3, 1);
  while (game.stock_size() > 0) {
    hoard(game);
  }
  REQUIRE(game.pass(game.turn()) == refusal::none);
  game.leave(game.turn());
  CHECK(game.phase() == game_phase::playing);
  CHECK(game.pass(game.turn()) == refusal::cannot_pass);
  CHECK(game.can_draw(game.turn()));
}

TEST_CASE("passes from before a leave do not block the round after it") {
  // Seats 0 and 1 swallow the stock while seat 2 plays what it can, until it holds what one turn can draw.
  const auto nearly_blocked = [](std::uint64_t seed) -> std::optional<eights> {
    eights game(3, seed);
    while (game.phase() != game_phase::over) {
      const int seat = game.turn();
      const auto plays = game.legal_plays(seat);
      if (seat == 1 && game.hand_size(2) <= 3 && game.can_pass(1) && !game.can_draw(1)) return game;
      if (seat != 2) {
        hoard(game);
      } else if (plays.empty()) {
        game.timeout();
      } else {
        REQUIRE(game.play(2, plays[0]) == refusal::none);
      }
    }
    return std::nullopt;
  };
  std::uint64_t seed = 1;
  while (!nearly_blocked(seed)) {
    ++seed;
  }
  auto game = *nearly_blocked(seed);
  REQUIRE(game.pass(1) == refusal::none);
  game.leave(2);
  hoard(game);
  CHECK(game.stock_size() == 0);
  CHECK(game.phase() == game_phase::playing);
  hoard(game);
  CHECK(game.phase() == game_phase::over);
}
