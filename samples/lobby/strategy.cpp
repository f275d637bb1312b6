#include "lobby/strategy.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

namespace lobby {
namespace {

// The option of the highest worth; each of the best is as likely as the others. Requires: some option.
template <class Option, class Worth>
Option best(std::span<const Option> options, Worth worth, random_source& random) {
  Option chosen = options.front();
  std::size_t equals = 1;
  for (const Option candidate : options.subspan(1)) {
    if (worth(candidate) > worth(chosen)) {
      chosen = candidate;
      equals = 1;
    } else if (worth(candidate) == worth(chosen) && random.below(++equals) == 0) {
      chosen = candidate;
    }
  }
  return chosen;
}

bool is_eight(card c) { return c.rank == wild_rank; }

}  // namespace

decision decide(const view& seen, random_source& random) {
  std::vector<card> plain;
  std::vector<card> wild;
  std::ranges::partition_copy(seen.hand, std::back_inserter(wild), std::back_inserter(plain), is_eight);
  const auto lengths = count_suits(plain);  // an eight lengthens no suit: it fits anywhere
  const auto length = [&](suit s) { return lengths[static_cast<std::size_t>(s)]; };

  if (seen.choosing) {
    constexpr std::array suits{suit::clubs, suit::diamonds, suit::hearts, suit::spades};
    return choose_suit{best<suit>(suits, length, random)};
  }
  std::erase_if(plain, [&](card c) { return c.s != seen.match && c.rank != seen.top.rank; });
  const bool hurry = seen.fewest_cards <= nearly_out;
  if (!plain.empty() && hurry) {
    return play_card{best<card>(plain, [](card c) { return points_of(c); }, random)};
  }
  if (!plain.empty()) return play_card{best<card>(plain, [&](card c) { return length(c.s); }, random)};
  const bool last = seen.hand.size() == 1;
  if (!wild.empty() && (hurry || last || !seen.can_draw)) return play_card{wild[random.below(wild.size())]};
  if (seen.can_draw) return draw_card{};
  return pass_turn{};
}

view view_of(const eights& game, int seat) {
  std::size_t fewest = deck_size;
  for (int other = 0; other < game.players(); ++other) {
    if (other != seat && game.seated(other)) {
      fewest = std::min(fewest, game.hand_size(other));
    }
  }
  const auto hand = game.hand(seat);
  return {
      .hand = {hand.begin(), hand.end()},
      .top = game.top(),
      .match = game.suit_to_match(),
      .choosing = game.phase() == game_phase::choosing && game.turn() == seat,
      .can_draw = game.can_draw(seat),
      .fewest_cards = fewest,
  };
}

refusal apply(eights& game, int seat, const decision& what) {
  struct {
    eights& game;
    int seat;
    refusal operator()(play_card move) { return game.play(seat, move.c); }
    refusal operator()(choose_suit move) { return game.choose(seat, move.s); }
    refusal operator()(draw_card) { return game.draw(seat); }
    refusal operator()(pass_turn) { return game.pass(seat); }
  } command{game, seat};
  return std::visit(command, what);
}

}  // namespace lobby
