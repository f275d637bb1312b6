#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "lobby/strategy.hpp"
#include "lobby/v1/cards.pb.h"

namespace lobby {

/// What a player knows of a game it plays far away: the table as last heard of, the own hand as last told. Events and
/// answers may come in any order; the older of two never replaces the newer.
class seat {
 public:
  seat() = default;
  seat(std::uint64_t table, std::uint32_t number) : table_{table}, number_{number} {}

  /// An event of this table.
  void hear(const v1::PublicView& view);
  /// An answer to an own command.
  void be_told(const v1::CommandReply& reply);
  /// Something is odd: look before doing anything else.
  void doubt() { sure_ = hand_known_ = false; }

  std::uint64_t table() const { return table_; }
  bool begun() const { return begun_; }
  bool over() const { return begun_ && view_.over(); }
  bool won() const { return over() && view_.winner() == number_; }
  bool my_turn() const { return begun_ && !view_.over() && view_.turn() == number_; }
  /// It takes a look at the own hand to go on.
  bool must_look() const;

  /// Requires: my_turn(), not must_look().
  view seen() const;
  /// What will be seen once this eight has been played.
  view seen_after(card eight) const;

 private:
  std::uint32_t cards_held() const;  // by this seat, as everybody sees
  bool cards_left_to_draw() const;

  std::uint64_t table_ = 0;
  std::uint32_t number_ = 0;
  v1::PublicView view_;
  std::vector<card> hand_;
  std::uint64_t hand_as_of_ = 0;  // moves
  bool begun_ = false;
  bool hand_known_ = false;
  bool sure_ = false;  // may_draw_ holds
  bool may_draw_ = false;
};

}  // namespace lobby
