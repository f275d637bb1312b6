#include "lobby/cards_service.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace lobby {
namespace {

using namespace std::chrono_literals;

void fill(v1::PublicView& view, std::uint64_t table, const eights& game) {
  view.set_table(table);
  view.set_moves(static_cast<std::uint64_t>(game.moves()));
  view.set_top(to_code(game.top()));
  view.set_match(static_cast<std::uint32_t>(game.suit_to_match()));
  view.set_turn(static_cast<std::uint32_t>(game.turn()));
  view.set_choosing(game.phase() == game_phase::choosing);
  view.set_over(game.phase() == game_phase::over);
  if (const auto winner = game.winner()) view.set_winner(static_cast<std::uint32_t>(*winner));
  for (int seat = 0; seat < game.players(); ++seat) {
    view.add_cards_held(static_cast<std::uint32_t>(game.hand_size(seat)));
  }
}

// What the rules say to a command; INVALID_ARGUMENT when it is none.
weft::result<refusal> obey(eights& game, int seat, const v1::Command& command) {
  switch (command.what_case()) {
    case v1::Command::kPlay: {
      const auto card = card_from_code(command.play());
      if (!card) return weft::invalid_argument("there is no card " + std::to_string(command.play()));
      return game.play(seat, *card);
    }
    case v1::Command::kChoose: {
      const auto suit = suit_from_code(command.choose());
      if (!suit) return weft::invalid_argument("there is no suit " + std::to_string(command.choose()));
      return game.choose(seat, *suit);
    }
    case v1::Command::kDraw: return game.draw(seat);
    case v1::Command::kPass: return game.pass(seat);
    case v1::Command::kLook: return refusal::none;
    case v1::Command::WHAT_NOT_SET: break;
  }
  return weft::invalid_argument("the command is empty");
}

}  // namespace

cards_service::cards_service(weft::runtime& rt, v1::Gate::client gate, weft::duration journal_most,
                             weft::duration turn_limit, load commands)
    : service{rt, {.name = v1::Cards::full_name, .mailbox = 8'192}},
      journal_most_{journal_most},
      turn_limit_{turn_limit},
      commands_{commands.running, commands.waiting},
      events_{*this, gate} {}

weft::reply<v1::OpenReply> cards_service::Open(v1::OpenRequest& request) {
  const auto count = request.players_size();
  if (count < 2 || count > 4) {
    co_return weft::invalid_argument("a table has 2 to 4 players, not " + std::to_string(count));
  }
  if (tables_.contains(request.table())) {
    co_return weft::already_exists("table " + std::to_string(request.table()) + " is open");
  }
  auto t = std::make_shared<table>(
      request.table(), std::vector<std::uint64_t>(request.players().begin(), request.players().end()), request.seed());
  tables_.emplace(t->id, t);
  changed(*t);
  start("turns", &cards_service::watch_turns, this, t);
  co_return v1::OpenReply{};
}

weft::result<int> cards_service::seat_of(std::uint64_t table_id, std::uint64_t player) const {
  const auto found = tables_.find(table_id);
  if (found == tables_.end()) return weft::not_found("there is no table " + std::to_string(table_id));
  const auto& players = found->second->players;
  for (std::size_t seat = 0; seat < players.size(); ++seat) {
    if (player != 0 && players[seat] == player) return static_cast<int>(seat);
  }
  return weft::not_found("player " + std::to_string(player) + " does not sit at table " + std::to_string(table_id));
}

weft::reply<v1::CommandReply> cards_service::Play(v1::PlayRequest& request) {
  const auto seat = co_await weft::ok(seat_of(request.table(), request.player()));
  auto t = tables_.at(request.table());
  const auto written = co_await commands_.run(&cards_service::write_journal, this);
  if (!written.ok()) co_return weft::status{written.code(), "journal: " + written.message()};

  v1::CommandReply reply;
  reply.set_played_as(++t->played[static_cast<std::size_t>(seat)]);
  const auto before = t->game.moves();
  const auto verdict = co_await weft::ok(obey(t->game, seat, request.command()));
  if (verdict != refusal::none) reply.set_refusal(to_string(verdict));
  if (t->game.moves() != before) changed(*t);

  fill(*reply.mutable_view(), t->id, t->game);
  for (const auto card : t->game.hand(seat)) reply.add_hand(to_code(card));
  reply.set_may_draw(t->game.can_draw(seat));
  reply.set_may_pass(t->game.can_pass(seat));
  co_return reply;
}

weft::reply<v1::QuitReply> cards_service::Quit(v1::QuitRequest& request) {
  const auto seat = co_await weft::ok(seat_of(request.table(), request.player()));
  auto t = tables_.at(request.table());
  v1::QuitReply reply;
  reply.set_was_over(t->game.phase() == game_phase::over);
  t->players[static_cast<std::size_t>(seat)] = 0;
  t->cut_short = t->cut_short || request.cut_short();
  t->game.leave(seat);
  changed(*t);
  if (std::all_of(t->players.begin(), t->players.end(), [](auto p) { return p == 0; })) t->empty.set();
  co_return reply;
}

weft::reply<v1::OutcomeReply> cards_service::Outcome(v1::OutcomeRequest& request) {
  const auto found = tables_.find(request.table());
  if (found == tables_.end()) co_return weft::not_found("there is no table " + std::to_string(request.table()));
  auto t = found->second;
  co_await weft::ok(t->over.wait());
  co_return t->outcome;
}

weft::task<weft::status> cards_service::write_journal() {
  if (journal_most_ <= journal_least) co_return weft::status{};
  const auto range = std::chrono::duration_cast<std::chrono::microseconds>(journal_most_ - journal_least).count();
  const auto takes = std::chrono::microseconds{random_.below(static_cast<std::uint64_t>(range) + 1)} + journal_least;
  co_return co_await weft::sleep_for(takes);
}

// Moves for whoever does not, a limit from the beginning of each turn. Ends with the table.
weft::task<> cards_service::watch_turns(std::shared_ptr<table> t) {
  co_await weft::annotate("table", t->id);
  while (t->game.phase() != game_phase::over) {
    t->turned.reset();
    const auto waited = co_await weft::with_timeout(turn_limit_, t->turned.wait());
    if (waited.code() == weft::code::cancelled) co_return;
    if (t->turned.is_set()) continue;  // perhaps in the moment in which the time was up
    t->game.timeout();
    changed(*t);
  }
  std::ignore = co_await weft::with_timeout(farewell, t->empty.wait());
  tables_.erase(t->id);
}

// After every change of a game: tells who plays, and who watches the turns.
void cards_service::changed(table& t) {
  const int turn_before = std::exchange(t.turn, t.game.turn());
  if (t.turn != turn_before || t.game.phase() == game_phase::over) t.turned.set();
  v1::ServerMessage event;
  fill(*event.mutable_table()->mutable_view(), t.id, t.game);
  auto players = t.players;
  std::erase(players, 0);
  events_.push(players, event);

  if (t.game.phase() != game_phase::over || t.over.is_set()) return;
  if (const auto winner = t.game.winner(); winner && !t.cut_short) {
    t.outcome.mutable_players()->Add(players.begin(), players.end());
    t.outcome.set_winner(t.players[static_cast<std::size_t>(*winner)]);
  }
  t.over.set();
}

}  // namespace lobby
