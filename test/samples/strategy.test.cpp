#include "lobby/strategy.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <variant>
#include <vector>

using namespace lobby;

namespace {

const card eight{8, suit::spades};

view seen_with(std::vector<card> hand) {
  return {.hand = std::move(hand),
          .top = {5, suit::hearts},
          .match = suit::hearts,
          .choosing = false,
          .can_draw = true,
          .fewest_cards = 7};
}

bool plays(const decision& what, card c) {
  const auto* move = std::get_if<play_card>(&what);
  return move != nullptr && move->c == c;
}

bool draws(const decision& what) { return std::holds_alternative<draw_card>(what); }
bool passes(const decision& what) { return std::holds_alternative<pass_turn>(what); }

}  // namespace

TEST_CASE("a robot plays a plain card rather than an eight") {
  random_source random(1);
  CHECK(plays(decide(seen_with({eight, {2, suit::hearts}}), random), {2, suit::hearts}));
  CHECK(plays(decide(seen_with({eight, {5, suit::clubs}}), random), {5, suit::clubs}));
}

TEST_CASE("a robot draws rather than spend an eight") {
  random_source random(1);
  CHECK(draws(decide(seen_with({eight, {2, suit::clubs}}), random)));
}

TEST_CASE("a robot spends an eight when it can draw no more") {
  random_source random(1);
  auto seen = seen_with({eight, {2, suit::clubs}});
  seen.can_draw = false;
  CHECK(plays(decide(seen, random), eight));
}

TEST_CASE("a robot spends an eight when an opponent is about to go out") {
  random_source random(1);
  auto seen = seen_with({eight, {2, suit::clubs}});
  seen.fewest_cards = nearly_out;
  CHECK(plays(decide(seen, random), eight));
}

TEST_CASE("a robot goes out with an eight") {
  random_source random(1);
  CHECK(plays(decide(seen_with({eight}), random), eight));
}

TEST_CASE("a robot plays from its longest suit") {
  random_source random(1);
  const auto seen = seen_with({{13, suit::hearts}, {5, suit::clubs}, {2, suit::clubs}, {3, suit::clubs}});
  CHECK(plays(decide(seen, random), {5, suit::clubs}));
}

TEST_CASE("a robot sheds its most expensive card when an opponent is about to go out") {
  random_source random(1);
  auto seen = seen_with({{13, suit::hearts}, {5, suit::clubs}, {2, suit::clubs}, {3, suit::clubs}});
  seen.fewest_cards = nearly_out;
  CHECK(plays(decide(seen, random), {13, suit::hearts}));
}

TEST_CASE("a robot with nothing to play draws, and passes when it can draw no more") {
  random_source random(1);
  auto seen = seen_with({{2, suit::clubs}});
  CHECK(draws(decide(seen, random)));
  seen.can_draw = false;
  CHECK(passes(decide(seen, random)));
}

TEST_CASE("a robot nominates its longest suit, not counting eights") {
  random_source random(1);
  auto seen = seen_with({eight, {8, suit::clubs}, {2, suit::diamonds}});
  seen.choosing = true;
  const auto what = decide(seen, random);
  REQUIRE(std::holds_alternative<choose_suit>(what));
  CHECK(std::get<choose_suit>(what).s == suit::diamonds);
}

TEST_CASE("a robot tells equal cards apart by its generator") {
  const auto seen = seen_with({{2, suit::hearts}, {3, suit::hearts}, {4, suit::hearts}});
  int counts[5] = {};
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    random_source random(seed);
    ++counts[std::get<play_card>(decide(seen, random)).c.rank];
  }
  CHECK(counts[2] > 60);
  CHECK(counts[3] > 60);
  CHECK(counts[4] > 60);
}

TEST_CASE("a robot sees its own hand and how close the others are") {
  eights game(3, 1);
  REQUIRE(game.draw(0) == refusal::none);
  const auto seen = view_of(game, 0);
  CHECK(seen.hand.size() == 6);
  CHECK(seen.top == game.top());
  CHECK(seen.match == game.suit_to_match());
  CHECK(seen.can_draw);
  CHECK(seen.fewest_cards == 5);
  game.leave(1);
  game.leave(2);
  CHECK(view_of(game, 0).fewest_cards == deck_size);
}

TEST_CASE("robots against each other are never refused and always finish") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    eights game(2 + static_cast<int>(seed % 3), seed);
    random_source random(seed);
    while (game.phase() != game_phase::over) {
      const int seat = game.turn();
      const auto why = apply(game, seat, decide(view_of(game, seat), random));
      if (why != refusal::none || game.moves() > 2000) {
        FAIL("seed ", seed, ", move ", game.moves(), ": ", to_string(why));
      }
    }
    if (game.cards_in_play() != deck_size || !game.winner()) {
      FAIL("a card or the winner is missing, with seed ", seed);
    }
  }
}

TEST_CASE("robots with the same seeds play the same game") {
  const auto play_out = [] {
    eights game(4, 11);
    random_source random(12);
    while (game.phase() != game_phase::over) {
      apply(game, game.turn(), decide(view_of(game, game.turn()), random));
    }
    return game;
  };
  CHECK(play_out() == play_out());
}
