#include "lobby/seat.hpp"

#include <algorithm>
#include <numeric>

namespace lobby {

void seat::hear(const v1::PublicView& view) {
  if (begun_ && view.moves() <= view_.moves()) return;
  // Whose turn has just come has drawn nothing yet. Otherwise somebody left, or an event was missed.
  const bool fresh = !begun_ ? view.moves() == 0 : view_.turn() != number_ && view.moves() == view_.moves() + 1;
  view_ = view;
  begun_ = true;
  sure_ = fresh;
  may_draw_ = cards_left_to_draw();
}

void seat::be_told(const v1::CommandReply& reply) {
  const auto as_of = reply.view().moves();
  if (!hand_known_ || as_of >= hand_as_of_) {
    hand_.clear();
    for (const auto code : reply.hand()) {
      if (const auto c = card_from_code(code)) hand_.push_back(*c);
    }
    hand_as_of_ = as_of;
    hand_known_ = true;
  }
  if (begun_ && as_of < view_.moves()) return;
  view_ = reply.view();
  begun_ = true;
  sure_ = true;
  may_draw_ = reply.may_draw();
}

bool seat::must_look() const {
  if (!begun_ || view_.over()) return false;
  if (!hand_known_) return true;
  return my_turn() && (!sure_ || hand_.size() != cards_held());
}

view seat::seen() const {
  std::size_t fewest = deck_size;
  for (int other = 0; other < view_.cards_held_size(); ++other) {
    const auto held = view_.cards_held(other);  // none: has left
    if (static_cast<std::uint32_t>(other) != number_ && held > 0) fewest = std::min<std::size_t>(fewest, held);
  }
  return {
      .hand = hand_,
      .top = card_from_code(view_.top()).value_or(card{1, suit::clubs}),
      .match = suit_from_code(view_.match()).value_or(suit::clubs),
      .choosing = view_.choosing(),
      .can_draw = may_draw_,
      .fewest_cards = fewest,
  };
}

view seat::seen_after(card eight) const {
  auto next = seen();
  std::erase(next.hand, eight);
  next.top = eight;
  next.match = eight.s;
  next.choosing = true;
  return next;
}

std::uint32_t seat::cards_held() const {
  const auto index = static_cast<int>(number_);
  return index < view_.cards_held_size() ? view_.cards_held(index) : 0;
}

// One card lies on top; what else nobody holds can be drawn.
bool seat::cards_left_to_draw() const {
  const auto& held = view_.cards_held();
  return std::accumulate(held.begin(), held.end(), std::size_t{1}) < deck_size;
}

}  // namespace lobby
