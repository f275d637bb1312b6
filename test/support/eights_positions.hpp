#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

#include "lobby/eights.hpp"

namespace test {

using namespace lobby;

inline bool is_eight(card c) { return c.rank == wild_rank; }

inline bool holds(const eights& game, int seat, card c) { return std::ranges::count(game.hand(seat), c) > 0; }

inline std::vector<card> hand_of(const eights& game, int seat) {
  const auto cards = game.hand(seat);
  return {cards.begin(), cards.end()};
}

// Any legal command of whoever is to move, more often than not a play, or games would take long to finish.
inline refusal random_command(eights& game, random_source& random) {
  const int seat = game.turn();
  if (game.phase() == game_phase::choosing) {
    return game.choose(seat, *suit_from_code(static_cast<unsigned>(random.below(4))));
  }
  const auto plays = game.legal_plays(seat);
  if (!plays.empty() && random.below(4) > 0) return game.play(seat, plays[random.below(plays.size())]);
  const bool draws = game.can_draw(seat) && (!game.can_pass(seat) || random.below(2) > 0);
  return draws ? game.draw(seat) : game.pass(seat);
}

inline void move_at_random(eights& game, random_source& random) {
  const auto why = random_command(game, random);
  if (why != refusal::none) {  // a REQUIRE for each of so many moves would take longer than the moves
    FAIL(to_string(why));
  }
}

// Draws all it may and passes, so that the hands swallow the stock.
inline void hoard(eights& game) {
  const int seat = game.turn();
  while (game.can_draw(seat)) {
    REQUIRE(game.draw(seat) == refusal::none);
  }
  REQUIRE(game.pass(seat) == refusal::none);
}

inline eights blocked_game(int players, std::uint64_t seed) {
  eights game(players, seed);
  while (game.phase() != game_phase::over) {
    hoard(game);
  }
  return game;
}

// The first deal, counting seeds from 1, that is as a test needs it.
template <class Condition>
eights deal_where(int players, Condition holds) {
  for (std::uint64_t seed = 1; seed < 10'000; ++seed) {
    eights game(players, seed);
    if (holds(game)) return game;
  }
  throw std::logic_error("no such deal");
}

// The first position of random games, counting seeds from 1, that is as a test needs it.
template <class Condition>
eights position_where(int players, Condition holds) {
  for (std::uint64_t seed = 1; seed < 10'000; ++seed) {
    eights game(players, seed);
    random_source random(seed);
    while (game.phase() != game_phase::over) {
      move_at_random(game, random);
      if (holds(game)) return game;
    }
  }
  throw std::logic_error("no such position");
}

inline eights deal_with_an_eight(int players) {
  return deal_where(players, [](const eights& game) { return std::ranges::any_of(game.hand(0), is_eight); });
}

inline card eight_in(const eights& game, int seat) { return *std::ranges::find_if(game.hand(seat), is_eight); }

inline eights game_awaiting_a_suit(int players) {
  auto game = deal_with_an_eight(players);
  REQUIRE(game.play(0, eight_in(game, 0)) == refusal::none);
  return game;
}

}  // namespace test
