// Cards, dealing and playing them.
#include "lobby/eights.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/eights_positions.hpp"

using namespace test;

TEST_CASE("each of the 52 codes names its own card") {
  std::set<std::string> names;
  for (unsigned code = 0; code < deck_size; ++code) {
    const auto c = card_from_code(code);
    REQUIRE(c);
    CHECK(to_code(*c) == code);
    CHECK(card_from_string(to_string(*c)) == c);
    names.insert(to_string(*c));
  }
  CHECK(names.size() == deck_size);
}

TEST_CASE("codes and words that name no card or suit give nothing") {
  CHECK_FALSE(card_from_code(52));
  CHECK_FALSE(card_from_code(1'000'000));
  CHECK_FALSE(suit_from_code(4));
  CHECK_FALSE(card_from_string(""));
  CHECK_FALSE(card_from_string("1♠"));
  CHECK_FALSE(card_from_string("10♠ "));
}

TEST_CASE("a card is written as its rank and suit") {
  CHECK(to_string(card{1, suit::clubs}) == "A♣");
  CHECK(to_string(card{8, suit::diamonds}) == "8♦");
  CHECK(to_string(card{10, suit::spades}) == "10♠");
  CHECK(to_string(card{13, suit::hearts}) == "K♥");
}

TEST_CASE("eights cost 50, faces 10, aces 1 and others their pips") {
  CHECK(points_of(card{8, suit::clubs}) == 50);
  CHECK(points_of(card{11, suit::clubs}) == 10);
  CHECK(points_of(card{13, suit::clubs}) == 10);
  CHECK(points_of(card{1, suit::clubs}) == 1);
  CHECK(points_of(card{7, suit::clubs}) == 7);
  CHECK(points_of(std::vector{card{8, suit::clubs}, card{2, suit::hearts}}) == 52);
}

TEST_CASE("two players are dealt seven cards and more are dealt five") {
  for (int players = eights::min_players; players <= eights::max_players; ++players) {
    const eights game(players, 1);
    const std::size_t each = players == 2 ? 7 : 5;
    for (int seat = 0; seat < players; ++seat) {
      CHECK(game.hand_size(seat) == each);
    }
    CHECK(game.hand_size(players) == 0);
    CHECK(game.stock_size() == deck_size - 1 - each * static_cast<std::size_t>(players));
    CHECK(game.cards_in_play() == deck_size);
    CHECK(game.turn() == 0);
    CHECK_FALSE(game.winner());
  }
}

TEST_CASE("one player or five are too few or too many") {
  CHECK_THROWS_AS(eights(1, 1), std::invalid_argument);
  CHECK_THROWS_AS(eights(5, 1), std::invalid_argument);
}

TEST_CASE("the starter is never an eight and no card is lost over it") {
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const eights game(4, seed);
    REQUIRE(game.top().rank != wild_rank);
    REQUIRE(game.suit_to_match() == game.top().s);
    REQUIRE(game.cards_in_play() == deck_size);
  }
}

TEST_CASE("the generator gives the published numbers of splitmix64") {
  random_source random(1234567);
  CHECK(random.next() == 6457827717110365317u);
  CHECK(random.next() == 3203168211198807973u);
  CHECK(random.next() == 9817491932198370423u);
}

TEST_CASE("the same seed and commands give the same game") {
  eights one(3, 7);
  eights other(3, 7);
  random_source random(9);
  random_source same(9);
  while (one.phase() != game_phase::over) {
    REQUIRE(one == other);
    move_at_random(one, random);
    move_at_random(other, same);
  }
  CHECK(one == other);
  CHECK(eights(3, 7) != eights(3, 8));
}

TEST_CASE("seed 1 deals the same cards on every platform") {
  const eights game(2, 1);
  std::string hand;
  for (const card c : game.hand(0)) {
    hand += to_string(c) + ' ';
  }
  CHECK(hand == "7♠ 9♥ 2♠ 3♥ 10♣ 8♣ 2♥ ");
  CHECK(to_string(game.top()) == "Q♠");
}

TEST_CASE("a card of the suit to match is laid on top and the turn moves on") {
  const auto fits = [](const eights& game) {
    const card c = game.hand(0)[0];
    return c.s == game.top().s && !is_eight(c);
  };
  auto game = deal_where(2, fits);
  const card c = game.hand(0)[0];
  CHECK(game.play(0, c) == refusal::none);
  CHECK(game.top() == c);
  CHECK(game.hand_size(0) == 6);
  CHECK_FALSE(holds(game, 0, c));
  CHECK(game.turn() == 1);
  CHECK(game.moves() == 1);
}

TEST_CASE("a card of the same rank changes the suit to match") {
  auto game = deal_where(2, [](const eights& dealt) { return dealt.hand(0)[0].rank == dealt.top().rank; });
  const card c = game.hand(0)[0];
  CHECK(game.play(0, c) == refusal::none);
  CHECK(game.suit_to_match() == c.s);
}

TEST_CASE("a card of neither suit nor rank is refused and stays in hand") {
  const auto clashes = [](const eights& game) {
    const card c = game.hand(0)[0];
    return c.s != game.top().s && c.rank != game.top().rank && !is_eight(c);
  };
  auto game = deal_where(2, clashes);
  const auto before = game;
  CHECK(game.play(0, game.hand(0)[0]) == refusal::does_not_match);
  CHECK(game == before);
}

TEST_CASE("the legal plays are exactly the cards that play accepts") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const eights game(2, seed);
    const auto legal = game.legal_plays(0);
    for (const card c : game.hand(0)) {
      eights copy = game;
      const bool accepted = copy.play(0, c) == refusal::none;
      REQUIRE(accepted == (std::ranges::count(legal, c) == 1));
    }
    REQUIRE(game.legal_plays(1).empty());
  }
}

TEST_CASE("a card held by someone else or by nobody is refused") {
  eights game(2, 1);
  CHECK(game.play(0, game.hand(1)[0]) == refusal::not_in_hand);
  CHECK(game.play(0, game.top()) == refusal::not_in_hand);
  CHECK(game.play(0, card{99, suit::clubs}) == refusal::not_in_hand);
}

TEST_CASE("only the seat to move may command") {
  eights game(2, 1);
  CHECK(game.play(1, game.hand(1)[0]) == refusal::not_your_turn);
  CHECK(game.draw(1) == refusal::not_your_turn);
  CHECK(game.pass(1) == refusal::not_your_turn);
  CHECK(game.choose(1, suit::clubs) == refusal::not_your_turn);
  CHECK(game.moves() == 0);
}

TEST_CASE("a seat that was never dealt in is refused") {
  eights game(2, 1);
  for (const int seat : {-1, 2, 4, 1000}) {
    CHECK(game.play(seat, game.top()) == refusal::no_such_seat);
    CHECK(game.draw(seat) == refusal::no_such_seat);
    CHECK(game.pass(seat) == refusal::no_such_seat);
    CHECK(game.choose(seat, suit::clubs) == refusal::no_such_seat);
    CHECK(game.hand(seat).empty());
    CHECK_FALSE(game.seated(seat));
  }
}

TEST_CASE("whoever plays an eight chooses its suit before the turn moves on") {
  auto game = game_awaiting_a_suit(2);
  CHECK(game.phase() == game_phase::choosing);
  CHECK(game.turn() == 0);
  CHECK(game.legal_plays(0).empty());
  const suit other = game.top().s == suit::hearts ? suit::clubs : suit::hearts;
  CHECK(game.choose(0, other) == refusal::none);
  CHECK(game.suit_to_match() == other);
  CHECK(game.phase() == game_phase::playing);
  CHECK(game.turn() == 1);
  for (const card c : game.legal_plays(1)) {
    CHECK((c.s == other || is_eight(c)));
  }
}

TEST_CASE("nothing but a suit is accepted after an eight") {
  auto game = game_awaiting_a_suit(2);
  CHECK(game.play(0, game.hand(0)[0]) == refusal::must_choose_suit);
  CHECK(game.draw(0) == refusal::must_choose_suit);
  CHECK(game.pass(0) == refusal::must_choose_suit);
  CHECK(game.choose(1, suit::clubs) == refusal::not_your_turn);
}

TEST_CASE("without an eight there is nothing to choose") {
  eights game(2, 1);
  CHECK(game.choose(0, suit::clubs) == refusal::nothing_to_choose);
}

TEST_CASE("an eight as the last card ends the round without a choice") {
  const auto won_with_an_eight = [](const eights& game) {
    return game.winner() && game.hand_size(*game.winner()) == 0 && is_eight(game.top());
  };
  const auto game = position_where(2, won_with_an_eight);
  CHECK(game.phase() == game_phase::over);
  CHECK(game.winner() == game.turn());
}

TEST_CASE("whoever sheds the last card wins the points in the other hands") {
  const auto over = [](const eights& game) { return game.winner() && game.hand_size(*game.winner()) == 0; };
  const auto game = position_where(3, over);
  int others = 0;
  for (int seat = 0; seat < 3; ++seat) {
    others += points_of(game.hand(seat));
  }
  CHECK(others > 0);
  CHECK(game.points() == others);
}

TEST_CASE("no command is accepted once the game is over") {
  auto game = blocked_game(2, 1);
  const auto before = game;
  for (int seat = 0; seat < 2; ++seat) {
    CHECK(game.play(seat, game.hand(seat)[0]) == refusal::game_over);
    CHECK(game.draw(seat) == refusal::game_over);
    CHECK(game.pass(seat) == refusal::game_over);
    CHECK(game.choose(seat, suit::clubs) == refusal::game_over);
    game.leave(seat);
  }
  game.timeout();
  CHECK(game == before);
}

TEST_CASE("every refusal says something of its own") {
  std::set<std::string> sentences;
  for (int why = 0; why <= static_cast<int>(refusal::no_such_seat); ++why) {
    sentences.insert(to_string(static_cast<refusal>(why)));
  }
  CHECK(sentences.size() == 10);
  CHECK(sentences.count("unknown refusal") == 0);
}

TEST_CASE("ten thousand random games finish with every card accounted for") {
  random_source random(2024);
  for (std::uint64_t seed = 0; seed < 10'000; ++seed) {
    const int players = 2 + static_cast<int>(seed % 3);
    eights game(players, seed);
    while (game.phase() != game_phase::over) {
      if (random.below(500) == 0) {
        game.leave(static_cast<int>(random.below(4)));
      } else {
        move_at_random(game, random);
      }
      if (game.cards_in_play() != deck_size || game.moves() > 2000) {
        FAIL("a card was lost or doubled, or the game does not end, with seed ", seed);
      }
    }
    if (!game.winner() || !game.seated(*game.winner())) {
      FAIL("a finished game has no winner, with seed ", seed);
    }
  }
}
