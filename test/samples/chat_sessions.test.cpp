// Chat calls its gates back over the sessions by which they call.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "lobby/chat_service.hpp"

using namespace lobby;
using weft::code;

namespace {

constexpr std::uint64_t room = 7;
constexpr auto quiet = [](std::string_view) {};

struct gate_stub final : v1::Gate::service {
  using service::service;
  weft::reply<v1::PushReply> Push(v1::PushRequest& request) override {
    v1::ServerMessage message;
    CHECK(message.ParseFromString(request.message()));
    CHECK(request.room() == room);
    lines.push_back(message.chat().text());
    co_return v1::PushReply{};
  }
  std::vector<std::string> lines;
};

// A gate's process, as far as chat can tell.
struct gate_process {
  explicit gate_process(const std::string& chat_address) : here{rt}, peer{rt, chat_address} {
    session.emplace(peer.session({.offers = {&here}}));
    chat.emplace(session->unordered());
  }
  ~gate_process() {
    session.reset();
    here.stop_and_wait(weft::stop_mode::abort);
  }
  void enter(std::uint64_t player) {
    v1::EnterRequest request;
    request.set_room(room);
    request.set_player(player);
    request.set_name("player-" + std::to_string(player));
    REQUIRE(weft::sync_wait(rt, weft::as_task(chat->Enter(request))).ok());
  }
  code say(std::uint64_t player, std::string text) {
    v1::SayRequest request;
    request.set_room(room);
    request.set_player(player);
    request.set_text(std::move(text));
    return weft::sync_wait(rt, weft::as_task(chat->Say(request))).code();
  }
  std::vector<std::string> lines() {
    return *weft::sync_wait(rt, weft::as_task(here.call([this] { return here.lines; })));
  }
  void until_lines(std::size_t n) {
    while (lines().size() < n) {
    }
  }

  weft::rpc_runtime rt{{.runtime = {.log = quiet}}};
  gate_stub here;
  weft::peer peer;
  std::optional<weft::session> session;
  std::optional<v1::Chat::client> chat;
};

struct chat_process {
  chat_process() {
    server.add(chat);
    REQUIRE(server.start().ok());
  }
  ~chat_process() {
    server.stop();
    chat.stop_and_wait(weft::stop_mode::abort);
  }
  weft::rpc_runtime rt{{.runtime = {.log = quiet}}};
  chat_service chat{rt, std::nullopt, weft::duration::zero()};
  weft::server server{rt};
};

}  // namespace

TEST_CASE("a line goes once to each gate that has somebody in the room, over the gate's own session") {
  chat_process there;
  gate_process first{there.server.address()}, second{there.server.address()}, empty{there.server.address()};
  for (std::uint64_t player = 1; player <= 20; ++player) (player % 2 == 0 ? first : second).enter(player);
  for (const auto* text : {"one", "two", "three"}) CHECK(first.say(2, text) == code::ok);
  first.until_lines(3);
  second.until_lines(3);
  CHECK(first.lines() == std::vector<std::string>{"one", "two", "three"});
  CHECK(second.lines() == std::vector<std::string>{"one", "two", "three"});
  CHECK(empty.say(99, "four") == code::not_found);
  CHECK(empty.lines().empty());
}

TEST_CASE("who is behind a gate whose session is over is not in the room any more, and can enter by another") {
  chat_process there;
  gate_process staying{there.server.address()};
  staying.enter(1);
  {
    gate_process leaving{there.server.address()};
    leaving.enter(2);
    CHECK(leaving.say(2, "bye") == code::ok);
    staying.until_lines(1);
  }
  std::size_t lines = 1;
  while (staying.say(2, "still here") == code::ok) ++lines;  // until chat has tried to tell the gate that is gone
  staying.enter(2);
  CHECK(staying.say(2, "back") == code::ok);
  staying.until_lines(lines + 1);
  CHECK(staying.lines().back() == "back");
}
