#include "lobby/lobby_service.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>

#include "../support/virtual_time.hpp"
#include "lobby/v1/link.pb.h"

using namespace std::chrono_literals;
using namespace lobby;

namespace {

// Remembers the tables it was asked for.
struct fake_cards : v1::Cards::service {
  using service::service;
  weft::reply<v1::OpenReply> Open(v1::OpenRequest& request) override {
    co_await weft::ok(weft::sleep_for(takes));
    opened.push_back(request.table());
    if (!outcome.ok()) co_return outcome;
    co_return v1::OpenReply{};
  }
  weft::reply<v1::QuitReply> Quit(v1::QuitRequest& request) override {
    if (opened.empty()) co_return weft::not_found("there is no such table");
    quitted.push_back(request.player());
    co_return v1::QuitReply{};
  }
  weft::status outcome;
  weft::duration takes{};
  std::vector<std::uint64_t> opened;
  std::vector<std::uint64_t> quitted;
};

// Remembers who was told that which table is closed.
struct fake_gate : v1::Gate::service {
  using service::service;
  weft::reply<v1::PushReply> Push(v1::PushRequest& request) override {
    v1::ServerMessage event;
    CHECK(event.ParseFromString(request.message()));
    for (const auto p : request.players()) closed.emplace_back(p, event.closed().table());
    co_return v1::PushReply{};
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> closed;
};

struct lobby_house {
  test::virtual_time time;
  fake_cards cards{time.rt};
  fake_gate gate{time.rt};
  std::uint64_t first_id = 1;
  lobby_service service{time.rt, cards, gate, {.first_id = first_id}};
  v1::Lobby::client lobby{service};

  lobby_house() = default;
  explicit lobby_house(std::uint64_t first) : first_id{first} {}
  ~lobby_house() {
    for (auto* s : {static_cast<weft::service*>(&service), static_cast<weft::service*>(&cards),
                    static_cast<weft::service*>(&gate)}) {
      s->stop_and_wait(weft::stop_mode::abort);
    }
  }

  void play(weft::task<weft::status> (*script)(lobby_house&)) { CHECK(time.run(script(*this)) == weft::status{}); }

  weft::reply<v1::LoginReply> log_in(std::string name) {
    v1::LoginRequest request;
    request.set_name(std::move(name));
    co_return co_await lobby.Login(request);
  }
  weft::reply<v1::JoinReply> join(std::uint64_t player, std::uint64_t table = 0) {
    v1::JoinRequest request;
    request.set_player(player);
    request.set_table(table);
    request.set_seats(2);
    co_return co_await lobby.Join(request);
  }
};

weft::task<weft::status> begin_a_game(lobby_house& h) {
  const auto ann = co_await weft::ok(h.log_in("ann"));
  const auto bob = co_await weft::ok(h.log_in("bob"));
  co_await weft::ok(h.join(ann.player()));
  const auto joined = co_await weft::ok(h.join(bob.player()));
  CHECK(ann.player() >= h.first_id);
  CHECK(h.cards.opened == std::vector{joined.table()});
  co_return weft::status{};
}

// Both may join again, and are told that they have to.
weft::task<weft::status> fail_to_begin(lobby_house& h) {
  const auto ann = (co_await weft::ok(h.log_in("ann"))).player();
  const auto bob = (co_await weft::ok(h.log_in("bob"))).player();
  h.cards.outcome = weft::unavailable("no cards today");
  const auto first = co_await weft::ok(h.join(ann));
  const auto refused = co_await h.join(bob);
  CHECK(refused.status() == h.cards.outcome);
  co_await weft::ok(weft::sleep_for(1ms));
  CHECK(h.gate.closed == std::vector{std::pair{ann, first.table()}});
  const auto tables = co_await weft::ok(h.lobby.List({}));
  CHECK(tables.tables().empty());

  h.cards.outcome = {};
  const auto again = co_await weft::ok(h.join(bob));
  const auto with_ann = co_await weft::ok(h.join(ann));
  CHECK(again.table() != first.table());
  CHECK(with_ann.table() == again.table());
  CHECK(with_ann.seat() == 1);
  co_return weft::status{};
}

weft::task<> join_later(lobby_house* h, std::uint64_t player) {
  const auto joined = co_await h->join(player);
  CHECK(joined.ok());
}

weft::task<weft::status> leave_before_the_game(lobby_house& h) {
  const auto ann = (co_await weft::ok(h.log_in("ann"))).player();
  const auto bob = (co_await weft::ok(h.log_in("bob"))).player();
  co_await weft::ok(h.join(ann));
  h.cards.takes = 1s;  // so that bob is still sitting down
  auto both = [](lobby_house* h, std::uint64_t ann, std::uint64_t bob, weft::scope& s) -> weft::task<> {
    std::ignore = s.start(join_later(h, bob));
    std::ignore = co_await weft::sleep_for(500ms);
    v1::LeaveRequest request;
    request.set_player(ann);
    const auto left = co_await h->lobby.Leave(request);
    CHECK(left.status() == weft::status{});
    CHECK(h->cards.opened.empty());
    CHECK(h->cards.quitted.empty());
  };
  co_await weft::with_scope(both, &h, ann, bob);
  co_await weft::ok(weft::sleep_for(1ms));
  CHECK(h.cards.opened.size() == 1);
  CHECK(h.cards.quitted == std::vector{ann});
  co_return weft::status{};
}

}  // namespace

TEST_CASE("a table whose game cannot begin is closed, and its players are free and told so") {
  lobby_house{}.play(&fail_to_begin);
}

TEST_CASE("who leaves a full table before its game has begun is not dealt in for ever") {
  lobby_house{}.play(&leave_before_the_game);
}

TEST_CASE("a lobby that is started again gives out other ids than the one before") {
  const auto start = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22} + 19h;
  const auto first = lobby_service::first_id_at(start);
  lobby_house before{first};
  before.play(&begin_a_game);
  lobby_house after{lobby_service::first_id_at(start + 1s)};
  after.play(&begin_a_game);
  CHECK(before.cards.opened.front() == first);
  CHECK(after.cards.opened.front() == first + 1'000);
  CHECK(lobby_service::first_id_at({}) == 1);  // a clock that was never set
}
