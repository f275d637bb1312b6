#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The rules of crazy eights, and nothing else: no clock, no network, no threads. One object is one round.
namespace lobby {

enum class suit : std::uint8_t { clubs, diamonds, hearts, spades };

struct card {
  std::uint8_t rank;  // 1 (ace) to 13 (king)
  suit s;
  friend bool operator==(const card&, const card&) = default;
};

inline constexpr std::size_t deck_size = 52;
inline constexpr std::uint8_t wild_rank = 8;

/// Requires: a rank of 1 to 13. The code is below deck_size.
std::uint8_t to_code(card c);
/// The card or suit of a number that came from outside, or nothing when it names none.
std::optional<card> card_from_code(unsigned code);
std::optional<suit> suit_from_code(unsigned code);

/// "A♣", "8♦", "10♠", "K♥"; card_from_string reads exactly what to_string writes.
std::string to_string(card c);
const char* to_string(suit s);
std::optional<card> card_from_string(std::string_view text);

/// What a card left in a hand costs: 50 for an eight, 10 for a face, 1 for an ace, else its pips.
int points_of(card c);
int points_of(std::span<const card> cards);

/// How many cards of each suit there are, indexed by suit.
std::array<std::size_t, 4> count_suits(std::span<const card> cards);

/// Numbers that are the same from the same seed on every platform, unlike those of <random>'s distributions.
/// The algorithm is splitmix64: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
/// Guessable by whoever sees its output: for play money.
class random_source {
 public:
  explicit random_source(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform in [0, bound). Requires: bound > 0.
  std::size_t below(std::size_t bound);
  friend bool operator==(const random_source&, const random_source&) = default;

 private:
  std::uint64_t state_;
};

/// Why a command was refused; a refused command changes nothing.
enum class refusal : std::uint8_t {
  none,
  not_your_turn,
  game_over,
  not_in_hand,
  does_not_match,
  must_choose_suit,
  nothing_to_choose,
  cannot_draw,
  cannot_pass,
  no_such_seat,  // never dealt in, or has left
};
const char* to_string(refusal why);

enum class game_phase : std::uint8_t {
  playing,   // turn() may play, draw or pass
  choosing,  // turn() has played an eight and must choose a suit
  over,
};

/// One round for 2 to 4 players, seat 0 first. A value: a copy is a saved game, and equal seeds with equal
/// commands give equal games. Not safe for concurrent use.
class eights {
 public:
  static constexpr int min_players = 2;
  static constexpr int max_players = 4;
  static constexpr int draws_per_turn = 3;

  /// Deals 7 cards each to two players, 5 each to more, and turns up a starter that is no eight.
  /// Throws std::invalid_argument unless min_players <= players <= max_players.
  eights(int players, std::uint64_t seed);

  /// Plays a card that matches the suit to match or the rank of top(), or any eight. The round is won by
  /// whoever plays a last card; otherwise an eight keeps the turn until choose.
  refusal play(int seat, card c);
  /// Nominates the suit that follows the eight just played. Requires: an enumerator of suit.
  refusal choose(int seat, suit s);
  /// Takes one card, at most draws_per_turn in a turn; the turn stays. An empty stock is refilled first by
  /// shuffling the discards below top().
  refusal draw(int seat);
  /// Ends a turn in which a card was drawn, or none could be. When everyone in turn passes with no card left
  /// to draw, the round is blocked and the fewest points in hand win (a tie goes to the lowest seat).
  refusal pass(int seat);

  /// The move of a player who lets time run out: chooses the suit most frequent in the hand (a tie goes to the
  /// lowest), or passes, drawing one card first where passing demands it. No effect once over.
  void timeout();
  /// Puts the seat's cards under the stock and plays on without it; the last one seated wins. An eight that
  /// awaited its suit keeps its own. No effect for an empty seat or once over.
  void leave(int seat);

  /// How many were dealt in, including those who left since.
  int players() const { return players_; }
  bool seated(int seat) const;
  /// Whose move it is; of no meaning once over.
  int turn() const { return turn_; }
  game_phase phase() const { return phase_; }
  /// In the order the cards were taken; empty when nobody sits there. Valid until the next command.
  std::span<const card> hand(int seat) const;
  std::size_t hand_size(int seat) const { return hand(seat).size(); }
  /// What play would accept from this seat now.
  std::vector<card> legal_plays(int seat) const;
  bool can_draw(int seat) const { return check_draw(seat) == refusal::none; }
  bool can_pass(int seat) const { return check_pass(seat) == refusal::none; }
  /// The card of the latest draw by anyone; for the one who drew it only.
  std::optional<card> last_drawn() const { return last_drawn_; }
  card top() const { return discards_.back(); }
  /// The suit of top(), or the one nominated for it.
  suit suit_to_match() const { return suit_; }
  std::size_t stock_size() const { return stock_.size(); }
  /// Set once over.
  std::optional<int> winner() const { return winner_; }
  /// What the winner collects: the points in the opponents' hands. 0 until over.
  int points() const { return points_; }
  /// Accepted commands and leaves so far; it differs whenever the game does.
  std::size_t moves() const { return moves_; }
  /// How many cards the hands, the stock and the discards hold together: always deck_size.
  std::size_t cards_in_play() const;

  friend bool operator==(const eights&, const eights&) = default;

 private:
  refusal check(int seat, game_phase wanted) const;
  refusal check_draw(int seat) const;
  refusal check_pass(int seat) const;
  bool matches(card c) const;
  bool cards_left_to_draw() const { return !stock_.empty() || discards_.size() > 1; }
  int seated_count() const;
  std::vector<card>& hand_of(int seat) { return hands_[static_cast<std::size_t>(seat)]; }
  card take_from_stock();
  void next_turn();
  void finish(int winner);

  int players_;
  random_source random_;
  std::array<std::vector<card>, max_players> hands_;
  std::array<bool, max_players> seated_{};
  std::vector<card> stock_;     // the next card to draw is the back
  std::vector<card> discards_;  // the top is the back; never empty
  suit suit_{};
  game_phase phase_ = game_phase::playing;
  int turn_ = 0;
  int drawn_ = 0;   // in this turn
  int passes_ = 0;  // in a row with no card left to draw
  std::size_t moves_ = 0;
  std::optional<card> last_drawn_;
  std::optional<int> winner_;
  int points_ = 0;
};

}  // namespace lobby
