#include "lobby/lobby_service.hpp"

#include <algorithm>
#include <tuple>
#include <utility>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace lobby {

using namespace std::chrono_literals;

lobby_service::lobby_service(weft::runtime& rt, v1::Cards::client cards, v1::Gate::client gate, lobby_options options)
    : service{rt, {.name = v1::Lobby::full_name, .mailbox = 8'192}},
      cards_{cards},
      scores_{options.scores},
      next_seed_{options.seed},
      next_player_{options.first_id},
      next_table_{options.first_id},
      events_{*this, gate} {}

std::uint64_t lobby_service::first_id_at(std::chrono::system_clock::time_point start) {
  const auto since = start - std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0)) * 1'000 + 1;
}

bool lobby_service::plays_on(std::string_view method) const {
  return method == v1::Lobby::Leave_info.path || method == v1::Lobby::Logout_info.path ||
         method == v1::Lobby::List_info.path;
}

weft::reply<v1::LoginReply> lobby_service::Login(v1::LoginRequest& request) {
  const auto& name = request.name();
  if (name.empty() || name.size() > longest_name) {
    co_return weft::invalid_argument("a name has 1 to " + std::to_string(longest_name) + " bytes, this one " +
                                     std::to_string(name.size()));
  }
  // A name is shown to others, and to whoever looks after the server: it must not steer their screens.
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
    co_return weft::invalid_argument("a name has no control characters");
  }
  v1::LoginReply reply;
  if (scores_ != nullptr && !names_.contains(name)) {
    const auto saved = co_await scores_->load(name);
    if (saved.code() == weft::code::cancelled) co_return saved.status();  // nobody waits: nobody could log out again
    if (!saved.ok())
      owner().log(weft::severity::error, "the score of '" + name + "' was not loaded: " + saved.status().to_string());
    if (saved.ok()) {
      reply.set_games(saved->games);
      reply.set_wins(saved->wins);
    }
  }
  if (!names_.insert(name).second) co_return weft::already_exists("the name '" + name + "' is taken");
  const auto id = next_player_++;
  players_[id] = {.name = name};
  reply.set_player(id);
  co_return reply;
}

weft::reply<v1::LogoutReply> lobby_service::Logout(v1::LogoutRequest& request) {
  const auto* who = co_await weft::ok(find(request.player()));
  if (who->table != 0) std::ignore = co_await stand_up(request.player(), request.cut_short());
  const auto gone = players_.find(request.player());
  if (gone != players_.end()) {
    names_.erase(gone->second.name);
    players_.erase(gone);
  }
  co_return v1::LogoutReply{};
}

weft::reply<v1::ListReply> lobby_service::List(v1::ListRequest&) {
  v1::ListReply reply;
  for (const auto& [id, t] : tables_) {
    auto& row = *reply.add_tables();
    row.set_table(id);
    row.set_seats(t.seats);
    for (const auto p : t.players) {
      if (p != 0) row.add_players(players_.at(p).name);
    }
  }
  co_return reply;
}

weft::reply<v1::CreateReply> lobby_service::Create(v1::CreateRequest& request) {
  const auto* who = co_await weft::ok(find(request.player()));
  if (who->table != 0) co_return weft::failed_precondition("sits at table " + std::to_string(who->table));
  const auto id = co_await weft::ok(make_table(request.seats()));
  const auto joined = co_await weft::ok(sit_down(request.player(), id));
  v1::CreateReply reply;
  reply.set_table(id);
  reply.set_seat(joined.seat());
  co_return reply;
}

weft::reply<v1::JoinReply> lobby_service::Join(v1::JoinRequest& request) {
  const auto* who = co_await weft::ok(find(request.player()));
  if (who->table != 0) co_return weft::failed_precondition("sits at table " + std::to_string(who->table));
  auto id = request.table();
  if (id == 0) {
    const auto free = std::find_if(tables_.begin(), tables_.end(), [&](const auto& entry) {
      return !entry.second.playing && entry.second.seats == request.seats();
    });
    id = free != tables_.end() ? free->first : co_await weft::ok(make_table(request.seats()));
  }
  co_return co_await sit_down(request.player(), id);
}

weft::reply<v1::LeaveReply> lobby_service::Leave(v1::LeaveRequest& request) {
  const auto* who = co_await weft::ok(find(request.player()));
  if (who->table == 0) co_return weft::failed_precondition("sits at no table");
  co_await weft::ok(stand_up(request.player(), false));
  co_return v1::LeaveReply{};
}

weft::result<lobby_service::player*> lobby_service::find(std::uint64_t id) {
  const auto found = players_.find(id);
  if (found == players_.end()) return weft::not_found("player " + std::to_string(id) + " is not logged in");
  return &found->second;
}

weft::result<std::uint64_t> lobby_service::make_table(std::uint32_t seats) {
  if (seats < 2 || seats > 4) return weft::invalid_argument("a table has 2 to 4 seats, not " + std::to_string(seats));
  const auto id = next_table_++;
  tables_[id] = {.seats = seats, .players = {}};
  return id;
}

// Takes the seat before the first co_await: nobody else can take it meanwhile.
weft::reply<v1::JoinReply> lobby_service::sit_down(std::uint64_t player_id, std::uint64_t table_id) {
  const auto found = tables_.find(table_id);
  if (found == tables_.end()) co_return weft::not_found("there is no table " + std::to_string(table_id));
  auto& t = found->second;
  if (t.playing) co_return weft::resource_exhausted("table " + std::to_string(table_id) + " has no free seat");
  v1::JoinReply reply;
  reply.set_table(table_id);
  reply.set_seat(static_cast<std::uint32_t>(t.players.size()));
  t.players.push_back(player_id);
  t.playing = t.players.size() == t.seats;
  players_.at(player_id).table = table_id;

  const auto to_begin = t.playing ? t.players : std::vector<std::uint64_t>{};
  // Also when this player is gone meanwhile: the others wait for their game.
  if (!to_begin.empty()) co_await weft::ok(weft::shield(begin_game(table_id, to_begin), 2s));
  if (!sits(player_id, table_id)) {
    co_return weft::unavailable("the game at table " + std::to_string(table_id) + " did not begin");
  }
  co_return reply;
}

// `players` by seat, the last of whom has just sat down.
weft::task<weft::status> lobby_service::begin_game(std::uint64_t table_id, std::vector<std::uint64_t> players) {
  if (!tables_.contains(table_id)) co_return weft::unavailable("everybody has left the table");
  v1::OpenRequest open;
  open.set_table(table_id);
  open.set_seed(next_seed_++);
  open.mutable_players()->Add(players.begin(), players.end());
  const auto opened = co_await cards_.Open(open);
  if (!opened.ok()) {
    close_table(table_id, players.back());
  } else if (scores_ != nullptr) {
    std::map<std::uint64_t, std::string> names;
    for (const auto p : players) {
      if (sits(p, table_id)) names[p] = players_.at(p).name;
    }
    ++unsaved_games_;
    start("outcome", &lobby_service::await_outcome, this, table_id, std::move(names));
  }
  // For those who have left: there was no game to quit yet. Cards may have opened one although no answer came.
  v1::QuitRequest quit;
  quit.set_table(table_id);
  for (const auto p : players) {
    if (sits(p, table_id)) continue;
    quit.set_player(p);
    std::ignore = cards_.send.Quit(quit);
  }
  co_return opened.status();
}

// Frees the players. Who came last is told so by the answer, the others by an event.
void lobby_service::close_table(std::uint64_t table_id, std::uint64_t last_player) {
  const auto found = tables_.find(table_id);
  if (found == tables_.end()) return;  // all have left meanwhile
  auto players = std::move(found->second.players);
  tables_.erase(found);
  std::erase(players, 0);
  for (const auto p : players) players_.at(p).table = 0;
  std::erase(players, last_player);
  v1::ServerMessage event;
  event.mutable_closed()->set_table(table_id);
  events_.push(players, event);
}

bool lobby_service::sits(std::uint64_t player_id, std::uint64_t table_id) const {
  const auto found = players_.find(player_id);
  return found != players_.end() && found->second.table == table_id;
}

weft::task<weft::status> lobby_service::stand_up(std::uint64_t player_id, bool cut_short) {
  auto& who = players_.at(player_id);
  const auto table_id = std::exchange(who.table, 0);
  auto& t = tables_.at(table_id);
  const bool playing = t.playing;
  if (playing) {
    std::replace(t.players.begin(), t.players.end(), player_id, std::uint64_t{0});
  } else {
    std::erase(t.players, player_id);
  }
  const bool empty = std::all_of(t.players.begin(), t.players.end(), [](auto p) { return p == 0; });
  if (empty) tables_.erase(table_id);

  if (!playing) co_return weft::status{};
  v1::QuitRequest quit;
  quit.set_table(table_id);
  quit.set_player(player_id);
  quit.set_cut_short(cut_short);
  // Also for a player who does not wait for the answer: the game has to know.
  co_return co_await weft::shield(quit_game(std::move(quit), who.name), 5s);
}

weft::task<weft::status> lobby_service::quit_game(v1::QuitRequest quit, std::string name) {
  const auto quitted = co_await cards_.Quit(quit);
  // It is over and its table gone, or it did not begin.
  if (quitted.code() == weft::code::not_found) co_return weft::status{};
  // Who leaves before the end has lost. If it was over, `await_outcome` knows how.
  if (quitted.ok() && !quitted->was_over() && !quit.cut_short()) co_await save(std::move(name), false);
  co_return quitted.status();
}

// Saves the scores of those who are there at the end. A call lasts only so long, hence asks again.
weft::task<> lobby_service::await_outcome(std::uint64_t table_id, std::map<std::uint64_t, std::string> names) {
  auto& task = co_await weft::current();
  task.annotate("table", std::to_string(table_id));
  v1::OutcomeRequest request;
  request.set_table(table_id);
  while (!task.stopped()) {
    const auto outcome = co_await cards_.Outcome(request, weft::within{30s});
    if (outcome.ok()) {
      for (const auto p : outcome->players()) {
        if (names.contains(p)) co_await save(names.at(p), p == outcome->winner());
      }
    }
    if (outcome.ok() || outcome.code() == weft::code::not_found) break;
    if (outcome.code() != weft::code::deadline_exceeded) std::ignore = co_await weft::sleep_for(1s);
  }
  --unsaved_games_;
}

weft::task<> lobby_service::save(std::string name, bool won) {
  if (scores_ == nullptr) co_return;
  const auto saved = co_await weft::shield(scores_->add(name, won), 5s);
  if (!saved.ok()) owner().log(weft::severity::error, "a game of '" + name + "' was not saved: " + saved.to_string());
}

}  // namespace lobby
