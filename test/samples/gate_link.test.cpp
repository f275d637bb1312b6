// weft::link against the lobby's gate: the protocol is what runtime/link/README.md says.
#include <weft/runtime/link/gate_link.hpp>

#include <doctest/doctest.h>

#include <string>
#include <tuple>
#include <utility>
#include <weft/runtime/io.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/guest.hpp"
#include "lobby/process.hpp"
#include "lobby/topology.hpp"

namespace {

std::string encoded(const lobby::v1::ClientMessage& m) { return m.SerializeAsString(); }

lobby::v1::ServerMessage decoded(const weft::result<std::string>& answer) {
  lobby::v1::ServerMessage m;
  REQUIRE(answer.status() == weft::status{});
  REQUIRE(m.ParseFromString(*answer));
  return m;
}

weft::task<> log_in_play_and_chat(weft::gate_link* gate, weft::scope& s) {
  auto greet = [](weft::gate_link::line& first) -> weft::task<weft::status> {
    auto answer = co_await first.ask(encoded(test::log_in_as("ann")));
    co_return answer.status();
  };
  std::ignore = s.start(gate->run(greet));
  weft::gate_lane cards{*gate};
  weft::gate_lane chat{*gate};
  auto joining = s.start(cards.ask(encoded(test::join_table(2))));
  const auto joined = co_await std::move(joining);
  CHECK(decoded(joined).join().table() != 0);
  auto saying = s.start(chat.ask(encoded(test::say("hello"))));
  const auto early = co_await cards.ask(encoded(test::draw_card()));
  CHECK_FALSE(early.ok());  // the other seat is empty: the gate's error, not the link's
  CHECK(early.code() != weft::code::unavailable);
  const auto said = co_await std::move(saying);
  CHECK(decoded(said).has_say());
  for (bool heard = false; !heard;) {
    const auto event = co_await gate->event();
    REQUIRE(event);
    lobby::v1::ServerMessage m;
    REQUIRE(m.ParseFromString(*event));
    CHECK(m.reply_to() == 0);
    heard = m.has_chat();
  }
  s.stop();
}

}  // namespace

TEST_SUITE("gate link") {
  TEST_CASE("a player without gRPC logs in to the lobby, joins a table and chats") {
    lobby::v1::Topology topology;
    topology.set_listen("127.0.0.1:0");
    auto started = lobby::process::start(lobby::role::all, lobby::with_defaults(topology));
    REQUIRE(started.status() == weft::status{});
    {
      weft::runtime rt;
      weft::io sockets;
      weft::gate_link gate{sockets, rt.control(), (*started)->player_address()};
      weft::sync_wait(rt, weft::with_scope(&log_in_play_and_chat, &gate));
    }
    const auto left = (*started)->stop();
    CHECK(left.tasks == 0);
  }
}
