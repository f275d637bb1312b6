#include "lobby/lobby_service.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>
#include <weft/runtime/ok.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using weft::code;

namespace {

// Remembers the tables it was asked for.
struct fake_cards : v1::Cards::service {
  using service::service;
  weft::reply<v1::OpenReply> Open(v1::OpenRequest& request) override {
    opened.push_back(request.table());
    if (!outcome.ok()) co_return outcome;
    co_return v1::OpenReply{};
  }
  weft::reply<v1::QuitReply> Quit(v1::QuitRequest&) override { co_return v1::QuitReply{}; }
  weft::status outcome;
  std::vector<std::uint64_t> opened;
};

struct fake_chat : v1::Chat::service {
  using service::service;
  weft::reply<v1::EnterReply> Enter(v1::EnterRequest&) override { co_return v1::EnterReply{}; }
  weft::reply<v1::ExitReply> Exit(v1::ExitRequest&) override { co_return v1::ExitReply{}; }
};

struct lobby_house {
  test::virtual_time time;
  fake_cards cards{time.rt};
  fake_chat chat{time.rt};
  std::uint64_t first_id = 1;
  lobby_service service{time.rt, cards, chat, first_id};
  v1::Lobby::client lobby{service};

  lobby_house() = default;
  explicit lobby_house(std::uint64_t first) : first_id{first} {}
  ~lobby_house() {
    for (auto* s : {static_cast<weft::service*>(&service), static_cast<weft::service*>(&chat),
                    static_cast<weft::service*>(&cards)}) {
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

}  // namespace

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
