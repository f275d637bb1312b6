#include "lobby/seat.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

using namespace lobby;

namespace {

constexpr std::uint64_t table = 7;

v1::PublicView view_at(std::uint64_t moves, std::uint32_t turn, std::vector<std::uint32_t> held = {2, 5}) {
  v1::PublicView v;
  v.set_table(table);
  v.set_moves(moves);
  v.set_turn(turn);
  v.mutable_cards_held()->Add(held.begin(), held.end());
  return v;
}

v1::CommandReply reply_at(std::uint64_t moves, std::uint32_t turn, bool may_draw = true) {
  v1::CommandReply r;
  *r.mutable_view() = view_at(moves, turn);
  r.add_hand(0);
  r.add_hand(1);
  r.set_may_draw(may_draw);
  return r;
}

// Seat 0 knows its two cards, and it is seat 1's turn.
seat seat_that_looked() {
  seat s{table, 0};
  s.hear(view_at(0, 1));
  s.be_told(reply_at(0, 1));
  return s;
}

}  // namespace

TEST_CASE("a player looks at the hand when the game begins, whoever's turn it is") {
  seat s{table, 0};
  CHECK_FALSE(s.begun());
  CHECK_FALSE(s.must_look());
  s.hear(view_at(0, 1));
  CHECK(s.begun());
  CHECK(s.must_look());
  s.be_told(reply_at(0, 1));
  CHECK_FALSE(s.must_look());
  CHECK_FALSE(s.my_turn());
}

TEST_CASE("when the turn comes a player may draw, and need not look again") {
  auto s = seat_that_looked();
  s.hear(view_at(1, 0));
  CHECK(s.my_turn());
  CHECK_FALSE(s.must_look());
  CHECK(s.seen().can_draw);
  CHECK(s.seen().hand == std::vector<card>{{1, suit::clubs}, {2, suit::clubs}});
  CHECK(s.seen().fewest_cards == 5);
}

TEST_CASE("when others hold all cards but the top one there is nothing to draw") {
  auto s = seat_that_looked();
  s.hear(view_at(1, 0, {2, 49}));
  CHECK_FALSE(s.seen().can_draw);
}

TEST_CASE("a player looks again when an event was missed before the own turn") {
  auto s = seat_that_looked();
  s.hear(view_at(2, 0));
  CHECK(s.must_look());
}

TEST_CASE("a player looks again when somebody left during the own turn") {
  auto s = seat_that_looked();
  s.hear(view_at(1, 0));
  s.hear(view_at(2, 0));
  CHECK(s.must_look());
}

TEST_CASE("a player looks again when the own hand has changed without a command") {
  auto s = seat_that_looked();
  s.hear(view_at(1, 0, {3, 5}));
  CHECK(s.must_look());
}

TEST_CASE("an answer says what may be done, also when its event came before it") {
  auto s = seat_that_looked();
  s.hear(view_at(1, 0));
  s.hear(view_at(2, 0));  // of the own draw
  s.be_told(reply_at(2, 0, false));
  CHECK_FALSE(s.must_look());
  CHECK_FALSE(s.seen().can_draw);
}

TEST_CASE("what is older never replaces what is newer") {
  auto s = seat_that_looked();
  auto two = reply_at(2, 1);
  two.clear_hand();
  two.add_hand(5);
  s.be_told(two);
  s.be_told(reply_at(1, 0));
  s.hear(view_at(1, 0));
  CHECK_FALSE(s.my_turn());
  CHECK(s.seen().hand.size() == 1);
}

TEST_CASE("after an eight a player sees the hand without it and a suit to choose") {
  seat s{table, 0};
  auto told = reply_at(3, 0);
  const card eight{8, suit::hearts};
  told.add_hand(to_code(eight));
  s.be_told(told);
  const auto next = s.seen_after(eight);
  CHECK(next.choosing);
  CHECK(next.hand.size() == 2);
  CHECK(next.top == eight);
}

TEST_CASE("who wins is over and done") {
  auto s = seat_that_looked();
  auto last = view_at(1, 0, {0, 5});
  last.set_over(true);
  last.set_winner(0);
  s.hear(last);
  CHECK(s.over());
  CHECK(s.won());
  CHECK_FALSE(s.my_turn());
  CHECK_FALSE(s.must_look());
}
