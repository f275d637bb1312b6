#include "lobby/cards_service.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using weft::code;

namespace {

constexpr auto turn_limit = 30s;
constexpr std::uint64_t table_id = 7;
constexpr std::uint64_t ann = 1;
constexpr std::uint64_t bob = 2;

// Keeps what players were sent.
struct fake_gate : v1::Gate::service {
  using service::service;
  weft::reply<v1::PushReply> Push(v1::PushRequest& request) override {
    v1::ServerMessage event;
    CHECK(event.ParseFromString(request.message()));
    events.push_back(event.table().view());
    co_return v1::PushReply{};
  }
  std::vector<v1::PublicView> events;
};

struct croupier {
  explicit croupier(weft::duration journal = 0ms) : service{time.rt, gate, journal, turn_limit} {}

  test::virtual_time time;
  fake_gate gate{time.rt};
  cards_service service;
  v1::Cards::client cards{service};

  ~croupier() {
    service.stop_and_wait(weft::stop_mode::abort);
    gate.stop_and_wait();
  }

  void play(weft::task<weft::status> (*script)(croupier&)) { CHECK(time.run(script(*this)) == weft::status{}); }

  weft::task<weft::status> open() {
    v1::OpenRequest request;
    request.set_table(table_id);
    request.add_players(ann);
    request.add_players(bob);
    request.set_seed(1);
    co_return (co_await cards.Open(request)).status();
  }
  weft::reply<v1::CommandReply> command(std::uint64_t player, bool draw) {
    v1::PlayRequest request;
    request.set_table(table_id);
    request.set_player(player);
    if (draw) request.mutable_command()->set_draw(true);
    if (!draw) request.mutable_command()->set_look(true);
    co_return co_await cards.Play(request);
  }
  weft::reply<v1::CommandReply> draw(std::uint64_t player) { return command(player, true); }
  weft::reply<v1::CommandReply> look(std::uint64_t player) { return command(player, false); }
  weft::reply<v1::OutcomeReply> outcome() {
    v1::OutcomeRequest request;
    request.set_table(table_id);
    co_return co_await cards.Outcome(request, weft::within{1min});
  }
  weft::task<weft::status> quit(std::uint64_t player, bool cut_short = false) {
    v1::QuitRequest request;
    request.set_table(table_id);
    request.set_player(player);
    request.set_cut_short(cut_short);
    co_return (co_await cards.Quit(request)).status();
  }
};

weft::task<weft::status> let_time_run_out(croupier& c) {
  co_await weft::ok(c.open());
  co_await weft::ok(weft::sleep_for(20s));
  const auto drawn = co_await weft::ok(c.draw(ann));  // is no reason for more time
  CHECK(drawn.view().turn() == 0);
  co_await weft::ok(weft::sleep_for(9s));
  const auto almost = co_await weft::ok(c.look(ann));
  CHECK(almost.view().turn() == 0);
  co_await weft::ok(weft::sleep_for(2s));
  const auto over = co_await weft::ok(c.look(ann));
  CHECK(over.view().turn() == 1);
  co_await weft::ok(weft::sleep_for(28s));
  const auto others_almost = co_await weft::ok(c.look(bob));
  CHECK(others_almost.view().turn() == 1);
  co_await weft::ok(weft::sleep_for(2s));
  const auto others_over = co_await weft::ok(c.look(bob));
  CHECK(others_over.view().turn() == 0);
  co_return weft::status{};
}

weft::task<weft::status> stay_after_the_end(croupier& c) {
  co_await weft::ok(c.open());
  co_await weft::ok(c.quit(ann));
  co_await weft::ok(weft::sleep_for(1ms));
  CHECK(c.gate.events.back().over());
  const auto late = co_await weft::ok(c.look(bob));
  CHECK(late.view().over());
  co_await weft::ok(weft::sleep_for(cards_service::farewell + 1s));
  const auto too_late = co_await c.look(bob);
  CHECK(too_late.code() == code::not_found);
  co_return co_await c.open();
}

weft::task<> leave_during_a_command(croupier* c, weft::scope& scope) {
  CHECK((co_await c->open()).ok());
  auto drawing = scope.start(c->draw(ann));
  CHECK((co_await weft::sleep_for(100us)).ok());  // it is in the journal, which takes 0.2 ms at least
  CHECK_FALSE(drawing.done());
  CHECK((co_await c->quit(ann)).ok());
  const auto late = co_await std::move(drawing);
  REQUIRE(late.ok());
  CHECK(late->refusal() != "");
  CHECK(late->hand().empty());
  CHECK(late->view().over());
}

weft::task<weft::status> leave_with_a_command_under_way(croupier& c) {
  co_await weft::with_scope(&leave_during_a_command, &c);
  co_return weft::status{};
}

weft::task<> ask_for_the_outcome(croupier* c, bool cut_short, weft::scope& scope) {
  CHECK((co_await c->open()).ok());
  auto asked = scope.start(c->outcome());
  CHECK((co_await weft::sleep_for(20s)).ok());
  CHECK_FALSE(asked.done());
  CHECK((co_await c->quit(ann, cut_short)).ok());
  const auto told = co_await std::move(asked);
  REQUIRE(told.ok());
  CHECK(told->players_size() == (cut_short ? 0 : 1));
  CHECK(told->winner() == (cut_short ? 0 : bob));
  CHECK((co_await c->quit(bob, cut_short)).ok());
  CHECK((co_await weft::sleep_for(1ms)).ok());
  const auto too_late = co_await c->outcome();
  CHECK(too_late.code() == code::not_found);
}

weft::task<weft::status> end_early(croupier& c) {
  co_await weft::with_scope(&ask_for_the_outcome, &c, false);
  co_await weft::with_scope(&ask_for_the_outcome, &c, true);
  co_return weft::status{};
}

weft::task<weft::status> leave_after_the_end(croupier& c) {
  co_await weft::ok(c.open());
  co_await weft::ok(c.quit(ann));
  const auto again = co_await c.quit(ann);
  CHECK(again == weft::not_found("player 1 does not sit at table 7"));
  co_await weft::ok(c.quit(bob));
  co_await weft::ok(weft::sleep_for(1ms));
  co_return co_await c.open();
}

weft::task<> play_while_it_retires(croupier* c, weft::scope& scope) {
  auto retired = scope.start(c->service.retire(1h));
  CHECK((co_await weft::sleep_for(1s)).ok());
  CHECK((co_await c->open()).code() == code::unavailable);
  CHECK((co_await c->draw(ann)).ok());
  CHECK_FALSE(retired.done());
  CHECK((co_await c->quit(ann)).ok());
  CHECK((co_await c->quit(bob)).ok());
  CHECK(co_await std::move(retired));
}

weft::task<weft::status> deploy_with_a_game_in_progress(croupier& c) {
  co_await weft::ok(c.open());
  co_await weft::with_scope(&play_while_it_retires, &c);
  co_return weft::status{};
}

}  // namespace

TEST_CASE("retiring opens no table, and lets the open ones be played to their end") {
  croupier{}.play(&deploy_with_a_game_in_progress);
}

TEST_CASE("the outcome is told when the game is over, and there is none when it was cut short") {
  croupier{}.play(&end_early);
}

TEST_CASE("a command that comes out of the journal when its player has left is refused") {
  croupier{50ms}.play(&leave_with_a_command_under_way);
}

TEST_CASE("a turn ends after its limit, whatever was drawn meanwhile, and the next one has as long") {
  croupier{}.play(&let_time_run_out);
}

TEST_CASE("whoever stays at a table whose game is over can look for 3 s, then it is closed") {
  croupier{}.play(&stay_after_the_end);
}

TEST_CASE("a table closes when the last player has quit") { croupier{}.play(&leave_after_the_end); }
