#include "lobby/eights.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>
#include <utility>

namespace lobby {
namespace {

constexpr unsigned ranks = 13;
constexpr std::array<const char*, 4> suit_signs{"♣", "♦", "♥", "♠"};
constexpr std::array<const char*, ranks> rank_signs{"A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K"};

// Fisher and Yates; std::shuffle may differ from one standard library to another.
void shuffle(std::vector<card>& cards, random_source& random) {
  for (std::size_t left = cards.size(); left > 1; --left) {
    std::swap(cards[left - 1], cards[random.below(left)]);
  }
}

}  // namespace

std::uint8_t to_code(card c) { return static_cast<std::uint8_t>(static_cast<unsigned>(c.s) * ranks + c.rank - 1); }

std::optional<card> card_from_code(unsigned code) {
  if (code >= deck_size) return std::nullopt;
  return card{static_cast<std::uint8_t>(code % ranks + 1), static_cast<suit>(code / ranks)};
}

std::optional<suit> suit_from_code(unsigned code) {
  if (code >= suit_signs.size()) return std::nullopt;
  return static_cast<suit>(code);
}

const char* to_string(suit s) { return suit_signs[static_cast<std::size_t>(s)]; }

std::string to_string(card c) { return std::string(rank_signs[c.rank - 1u]) + to_string(c.s); }

std::optional<card> card_from_string(std::string_view text) {
  for (unsigned code = 0; code < deck_size; ++code) {
    const auto c = card_from_code(code);
    if (to_string(*c) == text) return c;
  }
  return std::nullopt;
}

int points_of(card c) { return c.rank == wild_rank ? 50 : std::min<int>(c.rank, 10); }

int points_of(std::span<const card> cards) {
  int sum = 0;
  for (const card c : cards) {
    sum += points_of(c);
  }
  return sum;
}

std::array<std::size_t, 4> count_suits(std::span<const card> cards) {
  std::array<std::size_t, 4> counts{};
  for (const card c : cards) {
    ++counts[static_cast<std::size_t>(c.s)];
  }
  return counts;
}

std::uint64_t random_source::next() {
  state_ += 0x9e3779b97f4a7c15u;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::size_t random_source::below(std::size_t bound) {
  constexpr auto max = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t fair = max - max % bound;  // at and above it, low remainders would come up more often
  std::uint64_t number = next();
  while (number >= fair) {
    number = next();
  }
  return static_cast<std::size_t>(number % bound);
}

const char* to_string(refusal why) {
  switch (why) {
    case refusal::none: return "nothing is wrong";
    case refusal::not_your_turn: return "it is not your turn";
    case refusal::game_over: return "the game is over";
    case refusal::not_in_hand: return "you do not hold that card";
    case refusal::does_not_match: return "that card matches neither the suit nor the rank";
    case refusal::must_choose_suit: return "you must choose a suit for your eight first";
    case refusal::nothing_to_choose: return "there is no suit to choose now";
    case refusal::cannot_draw: return "you have drawn all you may in this turn, or no card is left";
    case refusal::cannot_pass: return "you must draw a card before you pass";
    case refusal::no_such_seat: return "nobody sits in that seat";
  }
  return "unknown refusal";
}

eights::eights(int players, std::uint64_t seed) : players_(players), random_(seed) {
  if (players < min_players || players > max_players) {
    throw std::invalid_argument("crazy eights is for 2 to 4 players");
  }
  for (unsigned code = 0; code < deck_size; ++code) {
    stock_.push_back(*card_from_code(code));
  }
  shuffle(stock_, random_);
  const int dealt = players == 2 ? 7 : 5;
  for (int seat = 0; seat < players; ++seat) {
    seated_[static_cast<std::size_t>(seat)] = true;
    for (int i = 0; i < dealt; ++i) {
      hand_of(seat).push_back(take_from_stock());
    }
  }
  card starter = take_from_stock();
  while (starter.rank == wild_rank) {
    const auto depth = static_cast<std::ptrdiff_t>(random_.below(stock_.size()));  // never back on top
    stock_.insert(stock_.begin() + depth, starter);
    starter = take_from_stock();
  }
  discards_.push_back(starter);
  suit_ = starter.s;
}

refusal eights::play(int seat, card c) {
  if (const auto why = check(seat, game_phase::playing); why != refusal::none) return why;
  auto& cards = hand_of(seat);
  const auto held = std::find(cards.begin(), cards.end(), c);
  if (held == cards.end()) return refusal::not_in_hand;
  if (!matches(c)) return refusal::does_not_match;
  cards.erase(held);
  discards_.push_back(c);
  suit_ = c.s;
  passes_ = 0;
  ++moves_;
  if (cards.empty()) {
    finish(seat);
  } else if (c.rank == wild_rank) {
    phase_ = game_phase::choosing;
  } else {
    next_turn();
  }
  return refusal::none;
}

refusal eights::choose(int seat, suit s) {
  if (const auto why = check(seat, game_phase::choosing); why != refusal::none) return why;
  suit_ = s;
  ++moves_;
  next_turn();
  return refusal::none;
}

refusal eights::draw(int seat) {
  if (const auto why = check_draw(seat); why != refusal::none) return why;
  if (stock_.empty()) {
    stock_.assign(discards_.begin(), discards_.end() - 1);
    discards_.erase(discards_.begin(), discards_.end() - 1);
    shuffle(stock_, random_);
  }
  last_drawn_ = take_from_stock();
  hand_of(seat).push_back(*last_drawn_);
  ++drawn_;
  ++moves_;
  return refusal::none;
}

refusal eights::pass(int seat) {
  if (const auto why = check_pass(seat); why != refusal::none) return why;
  ++moves_;
  passes_ = cards_left_to_draw() ? 0 : passes_ + 1;
  if (passes_ < seated_count()) {
    next_turn();
    return refusal::none;
  }
  int lowest = -1;
  for (int other = 0; other < players_; ++other) {
    if (seated(other) && (lowest < 0 || points_of(hand(other)) < points_of(hand(lowest)))) {
      lowest = other;
    }
  }
  finish(lowest);
  return refusal::none;
}

void eights::timeout() {
  if (phase_ == game_phase::over) return;
  if (phase_ == game_phase::choosing) {
    const auto counts = count_suits(hand(turn_));
    choose(turn_, static_cast<suit>(std::max_element(counts.begin(), counts.end()) - counts.begin()));
    return;
  }
  if (!can_pass(turn_)) {
    draw(turn_);
  }
  pass(turn_);
}

void eights::leave(int seat) {
  if (!seated(seat) || phase_ == game_phase::over) return;
  auto& cards = hand_of(seat);
  stock_.insert(stock_.begin(), cards.begin(), cards.end());
  cards.clear();
  seated_[static_cast<std::size_t>(seat)] = false;
  passes_ = 0;
  ++moves_;
  if (turn_ == seat) {
    next_turn();
  }
  if (seated_count() == 1) {
    finish(static_cast<int>(std::find(seated_.begin(), seated_.end(), true) - seated_.begin()));
  }
}

bool eights::seated(int seat) const { return seat >= 0 && seat < players_ && seated_[static_cast<std::size_t>(seat)]; }

std::span<const card> eights::hand(int seat) const {
  if (!seated(seat)) return {};
  return hands_[static_cast<std::size_t>(seat)];
}

std::vector<card> eights::legal_plays(int seat) const {
  std::vector<card> plays;
  if (check(seat, game_phase::playing) == refusal::none) {
    for (const card c : hand(seat)) {
      if (matches(c)) {
        plays.push_back(c);
      }
    }
  }
  return plays;
}

std::size_t eights::cards_in_play() const {
  std::uint64_t odd = 0;  // a bit for each card: a lost one never sets it, a doubled one clears it again
  const auto count = [&odd](const std::vector<card>& cards) {
    for (const card c : cards) {
      odd ^= std::uint64_t{1} << to_code(c);
    }
  };
  count(stock_);
  count(discards_);
  for (const auto& cards : hands_) {
    count(cards);
  }
  return static_cast<std::size_t>(std::popcount(odd));
}

refusal eights::check(int seat, game_phase wanted) const {
  if (!seated(seat)) return refusal::no_such_seat;
  if (phase_ == game_phase::over) return refusal::game_over;
  if (seat != turn_) return refusal::not_your_turn;
  if (phase_ != wanted) {
    return wanted == game_phase::choosing ? refusal::nothing_to_choose : refusal::must_choose_suit;
  }
  return refusal::none;
}

refusal eights::check_draw(int seat) const {
  if (const auto why = check(seat, game_phase::playing); why != refusal::none) return why;
  return drawn_ < draws_per_turn && cards_left_to_draw() ? refusal::none : refusal::cannot_draw;
}

refusal eights::check_pass(int seat) const {
  if (const auto why = check(seat, game_phase::playing); why != refusal::none) return why;
  return drawn_ > 0 || !cards_left_to_draw() ? refusal::none : refusal::cannot_pass;
}

bool eights::matches(card c) const { return c.rank == wild_rank || c.rank == top().rank || c.s == suit_; }

int eights::seated_count() const { return static_cast<int>(std::count(seated_.begin(), seated_.end(), true)); }

card eights::take_from_stock() {
  const card c = stock_.back();
  stock_.pop_back();
  return c;
}

void eights::next_turn() {
  do {
    turn_ = (turn_ + 1) % players_;
  } while (!seated(turn_));
  phase_ = game_phase::playing;
  drawn_ = 0;
}

void eights::finish(int winner) {
  winner_ = winner;
  phase_ = game_phase::over;
  for (int seat = 0; seat < players_; ++seat) {
    points_ += seat == winner ? 0 : points_of(hand(seat));
  }
}

}  // namespace lobby
