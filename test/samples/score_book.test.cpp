// Scores in a file: what is written there, by whom, and who reads it.
#include "lobby/score_book.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>

#include "../support/guest.hpp"
#include "../support/temporary_file.hpp"
#include "lobby/lobby_service.hpp"
#include "lobby/process.hpp"
#include "lobby/topology.hpp"
#include "lobby/v1/cards.weft.fake.hpp"
#include "lobby/v1/gate.weft.fake.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;
using weft::code;

namespace {

// What a login is told, as often as it takes until so many games are there: the last may still be on its way to the file.
template <class Login>
weft::task<weft::result<score>> read_score(Login log_in, std::uint32_t games) {
  const auto until = std::chrono::steady_clock::now() + guest::patience;
  while (std::chrono::steady_clock::now() < until) {
    const auto seen = co_await weft::ok(log_in());
    if (seen.games >= games) co_return seen;
  }
  co_return weft::deadline_exceeded("the score did not come");
}

weft::task<weft::status> write_scores(score_book* book, weft::scope& scope) {
  std::vector<weft::started<weft::status>> adding;
  for (int i = 0; i < 20; ++i) {
    adding.push_back(scope.start(book->add("ann", i % 4 == 0)));
    adding.push_back(scope.start(book->add("bob", false)));
  }
  auto loading = scope.start(book->load("ann"));  // behind all of hers, which are begun before
  const auto ann = co_await weft::ok(std::move(loading));
  CHECK(ann.games == 20);
  CHECK(ann.wins == 5);
  for (auto& one : adding) co_await weft::ok(std::move(one));
  const auto nobody = co_await weft::ok(book->load("nobody"));
  CHECK(nobody.games == 0);
  co_return weft::status{};
}

/// A lobby whose cards end games as a test wants.
struct desk {
  explicit desk(score_book& book) : scores{book}, service{rt, cards, gate, {.scores = &book}} {
    cards.Open.returns({});
    gate.Push.returns({});
  }
  ~desk() { service.stop_and_wait(weft::stop_mode::abort); }

  weft::reply<v1::LoginReply> log_in(std::string name) {
    v1::LoginRequest request;
    request.set_name(std::move(name));
    co_return co_await lobby.Login(request);
  }
  weft::task<weft::status> log_out(std::uint64_t player, bool cut_short) {
    v1::LogoutRequest request;
    request.set_player(player);
    request.set_cut_short(cut_short);
    co_return (co_await lobby.Logout(request)).status();
  }
  weft::task<weft::result<std::uint64_t>> sit_down(std::string name, std::uint32_t seats) {
    const auto player = (co_await weft::ok(log_in(std::move(name)))).player();
    v1::JoinRequest request;
    request.set_player(player);
    request.set_seats(seats);
    co_await weft::ok(lobby.Join(request));
    co_return player;
  }
  // Without staying.
  weft::task<weft::result<score>> look_up(std::string name) {
    const auto told = co_await weft::ok(log_in(std::move(name)));
    co_await weft::ok(log_out(told.player(), false));
    co_return score{told.games(), told.wins()};
  }

  score_book& scores;
  weft::runtime rt;
  v1::Cards::fake cards{rt};
  v1::Gate::fake gate{rt};
  lobby_service service;
  v1::Lobby::client lobby{service};
};

weft::task<weft::status> play_to_the_end(desk* d) {
  v1::OutcomeReply ends;
  ends.add_players(1);
  ends.add_players(2);
  ends.set_winner(2);
  v1::QuitReply late;
  late.set_was_over(true);
  d->cards.Outcome.returns(ends);
  d->cards.Quit.returns(late);
  co_await weft::ok(d->sit_down("ann", 2));
  co_await weft::ok(d->sit_down("bob", 2));
  for (std::uint64_t player : {1, 2}) co_await weft::ok(d->log_out(player, false));
  auto bob = [d] { return d->look_up("bob"); };  // whose game is saved after ann's
  const auto bobs = co_await weft::ok(read_score(bob, 1));
  CHECK(bobs.wins == 1);
  auto ann = [d] { return d->look_up("ann"); };
  const auto anns = co_await weft::ok(read_score(ann, 1));
  CHECK(anns.wins == 0);
  co_return weft::status{};
}

weft::task<weft::status> leave_early(desk* d) {
  d->cards.Outcome.hangs();
  d->cards.Quit.returns({});
  for (const auto* name : {"ann", "bob", "cid"}) co_await weft::ok(d->sit_down(name, 3));
  co_await weft::ok(d->log_out(1, false));
  co_await weft::ok(d->log_out(2, true));
  auto anns = [d] { return d->look_up("ann"); };
  const auto ann = co_await weft::ok(read_score(anns, 1));
  CHECK(ann.wins == 0);
  const auto bob = co_await weft::ok(d->look_up("bob"));
  CHECK(bob.games == 0);
  co_return weft::status{};
}

weft::task<> retire_in_a_hurry(desk* d, weft::scope& scope) {
  v1::OutcomeReply ends;
  ends.add_players(1);
  v1::QuitReply late;
  late.set_was_over(true);
  d->cards.Outcome.delays(50ms).returns(ends);
  d->cards.Quit.returns(late);
  CHECK((co_await d->sit_down("ann", 2)).ok());
  CHECK((co_await d->sit_down("bob", 2)).ok());
  auto retired = scope.start(d->service.retire(guest::patience));
  for (std::uint64_t player : {1, 2}) CHECK((co_await d->log_out(player, false)).ok());
  CHECK(co_await std::move(retired));
  const auto ann = co_await d->scores.load("ann");
  CHECK(ann->games == 1);
}

weft::task<weft::status> retire_after_a_game(desk* d) {
  co_await weft::with_scope(&retire_in_a_hurry, d);
  co_return weft::status{};
}

void at_a_desk(weft::task<weft::status> (*script)(desk*)) {
  const temporary_file file{""};
  const auto book = score_book::open(file.name());
  REQUIRE(book.status() == weft::status{});
  desk d{**book};
  CHECK(weft::sync_wait(d.rt, script(&d)) == weft::status{});
}

/// Players of a whole lobby, which ends and begins again.
struct evening {
  explicit evening(const std::string& saves) {
    v1::Topology t;
    t.set_listen("127.0.0.1:0");
    t.set_saves(saves);
    auto started = process::start(role::all, with_defaults(t));
    REQUIRE(started.status() == weft::status{});
    house = std::move(*started);
  }
  ~evening() {
    house->stop();
    weft::visit(rt.worker_at(0), [this] { staying.clear(); });  // where their links belong
  }
  weft::task<weft::result<guest>> connect() {
    auto link = co_await weft::ok(weft::tcp_connect(sockets, rt.control(), house->player_address()));
    co_return guest{std::move(link), rt.control()};
  }
  weft::task<weft::result<guest>> sit_down(std::string name) {
    auto player = co_await weft::ok(connect());
    co_await weft::ok(player.ask(log_in_as(std::move(name))));
    co_await weft::ok(player.ask(join_table(2)));
    co_return player;
  }
  weft::task<weft::result<score>> look_up(std::string name) {
    auto player = co_await weft::ok(connect());
    const auto told = co_await weft::ok(player.ask_until(log_in_as(std::move(name)), &succeeded));
    co_await weft::ok(player.hang_up());
    co_return score{told.login().games(), told.login().wins()};
  }

  std::unique_ptr<process> house;
  weft::runtime rt;
  weft::io sockets;
  std::vector<guest> staying;
};

weft::task<weft::status> lose_by_leaving(evening* e) {
  auto ann = co_await weft::ok(e->sit_down("ann"));
  auto bob = co_await weft::ok(e->sit_down("bob"));
  co_await weft::ok(ann.ask(leave_table()));
  co_await weft::ok(bob.hang_up());
  auto again = [e] { return e->look_up("bob"); };
  const auto bobs = co_await weft::ok(read_score(again, 1));
  CHECK(bobs.wins == 1);
  co_return co_await ann.hang_up();
}

weft::task<weft::status> be_remembered(evening* e) {
  auto anns = [e] { return e->look_up("ann"); };
  auto bobs = [e] { return e->look_up("bob"); };
  const auto ann = co_await weft::ok(read_score(anns, 1));
  CHECK(ann.games == 1);
  CHECK(ann.wins == 0);
  const auto bob = co_await weft::ok(read_score(bobs, 1));
  CHECK(bob.games == 1);
  CHECK(bob.wins == 1);
  // The lobby stops while they play: nobody has lost.
  for (const auto* name : {"ann", "bob"}) e->staying.push_back(co_await weft::ok(e->sit_down(name)));
  co_await weft::ok(e->staying.front().next_table_event());
  co_return weft::status{};
}

}  // namespace

TEST_SUITE("score book") {
  TEST_CASE("a name's scores are written and read in order") {
    const temporary_file file{""};
    const auto book = score_book::open(file.name());
    REQUIRE(book.status() == weft::status{});
    weft::runtime rt;
    CHECK(weft::sync_wait(rt, weft::with_scope(&write_scores, book->get())) == weft::status{});
  }

  TEST_CASE("a file that cannot be opened, or is none of SQLite's, is an error that names it") {
    const temporary_file other{std::string(4'096, 'x')};
    CHECK(score_book::open("/nowhere/players.db").status() ==
          weft::unavailable("saves '/nowhere/players.db': unable to open database file"));
    CHECK(score_book::open(other.name()).status() ==
          weft::unavailable("saves '" + other.name() + "': file is not a database"));
    v1::Topology t;
    t.set_listen("127.0.0.1:0");
    t.set_saves("/nowhere/players.db");
    CHECK(process::start(role::all, with_defaults(t)).status() ==
          weft::unavailable("saves '/nowhere/players.db': unable to open database file"));
  }

  TEST_CASE("who is there when a game ends has played it, and one of them has won") { at_a_desk(&play_to_the_end); }

  TEST_CASE("who leaves a game that goes on has lost it, but not when the server stops") { at_a_desk(&leave_early); }

  TEST_CASE("a lobby that retires waits for the scores of the last game") { at_a_desk(&retire_after_a_game); }

  TEST_CASE("a lobby that is started again knows what was played before") {
    const temporary_file file{""};
    for (auto* script : {&lose_by_leaving, &be_remembered, &be_remembered}) {
      evening e{file.name()};
      CHECK(weft::sync_wait(e.rt, script(&e)) == weft::status{});
    }
  }
}
