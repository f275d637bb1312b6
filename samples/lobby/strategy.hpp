#pragma once

#include "lobby/eights.hpp"

#include <cstddef>
#include <variant>
#include <vector>

/// The brain of a robot player: it sees what a person in its seat would see, and says what to do next.
namespace lobby {

struct view {
  std::vector<card> hand;
  card top;
  suit match;                // the suit to match
  bool choosing;             // an eight was played and awaits its suit
  bool can_draw;             // where it cannot, passing is allowed
  std::size_t fewest_cards;  // in the hand of the opponent closest to going out
};

struct play_card {
  card c;
};
struct choose_suit {
  suit s;
};
struct draw_card {};
struct pass_turn {};
using decision = std::variant<play_card, choose_suit, draw_card, pass_turn>;

/// An opponent with so few cards is about to go out.
inline constexpr std::size_t nearly_out = 2;

/// What to do next; equals are told apart by the generator. It keeps its eights while something else matches
/// or a card may be drawn, unless an opponent is about to go out. It plays from its longest suit, and sheds
/// its most expensive card once an opponent is about to go out. It nominates its longest suit.
/// Requires: it is this player's turn.
decision decide(const view& seen, random_source& random);

/// What this seat may see of a game.
view view_of(const eights& game, int seat);
refusal apply(eights& game, int seat, const decision& what);

}  // namespace lobby
