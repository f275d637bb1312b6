#include "lobby/chat_service.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/world.hpp>

#include "lobby/v1/gate.weft.fake.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using weft::code;

namespace {

constexpr std::uint64_t room = 7;

struct parlour {
  weft::test::world w;
  v1::Gate::fake gate{w};
  chat_service service{w, gate, 0ms};
  v1::Chat::client chat{service};

  parlour() { gate.Push.returns({}); }
  ~parlour() { service.stop_and_wait(weft::stop_mode::abort); }

  weft::task<weft::status> enter(std::uint64_t player, std::string name) {
    v1::EnterRequest request;
    request.set_room(room);
    request.set_player(player);
    request.set_name(std::move(name));
    co_return (co_await chat.Enter(request)).status();
  }
  weft::task<weft::status> exit(std::uint64_t player) {
    v1::ExitRequest request;
    request.set_room(room);
    request.set_player(player);
    co_return (co_await chat.Exit(request)).status();
  }
  weft::reply<v1::SayReply> say(std::uint64_t player, std::string text) {
    v1::SayRequest request;
    request.set_room(room);
    request.set_player(player);
    request.set_text(std::move(text));
    co_return co_await chat.Say(request);
  }
};

weft::task<weft::status> talk_in_a_crowd(parlour& p) {
  for (std::uint64_t player = 1; player <= 100; ++player) {
    co_await weft::ok(p.enter(player, "player-" + std::to_string(player)));
  }
  for (std::uint64_t line = 1; line <= 3; ++line) {
    const auto said = co_await weft::ok(p.say(line, "line " + std::to_string(line)));
    CHECK(said.line() == line);
  }
  co_return weft::status{};
}

weft::task<weft::status> talk_from_outside(parlour& p) {
  co_await weft::ok(p.enter(1, "ann"));
  const auto outside = co_await p.say(2, "hello?");
  CHECK(outside.status() == weft::not_found("player 2 is not in room 7"));
  co_await weft::ok(p.exit(1));
  const auto too_late = co_await p.say(1, "bye");
  CHECK(too_late.code() == code::not_found);
  co_return weft::status{};
}

weft::task<weft::status> be_silent(parlour& p) {
  co_await weft::ok(p.enter(1, "ann"));
  co_await weft::ok(weft::sleep_for(chat_service::longest_silence - 1min));
  co_await weft::ok(p.say(1, "one moment"));
  co_await weft::ok(weft::sleep_for(chat_service::longest_silence - 1min));
  co_await weft::ok(p.say(1, "another"));
  co_await weft::ok(weft::sleep_for(2 * chat_service::longest_silence));
  const auto too_late = co_await p.say(1, "good evening");
  CHECK(too_late.code() == code::not_found);
  co_return weft::status{};
}

}  // namespace

TEST_CASE("a room in which nothing happens for an hour is forgotten") {
  parlour p;
  CHECK(p.w.run(be_silent(p)) == weft::status{});
}

TEST_CASE("a line goes to the gate once, in order, for however many are in the room") {
  parlour p;
  CHECK(p.w.run(talk_in_a_crowd(p)) == weft::status{});
  p.w.settle();
  REQUIRE(p.gate.Push.calls().size() == 3);
  for (std::uint64_t line = 1; line <= 3; ++line) {
    const auto& push = p.gate.Push.calls()[line - 1];
    CHECK(push.room() == room);
    CHECK(push.players().empty());
    v1::ServerMessage event;
    REQUIRE(event.ParseFromString(push.message()));
    CHECK(event.chat().line() == line);
    CHECK(event.chat().name() == "player-" + std::to_string(line));
  }
}

TEST_CASE("who is not in a room, or has left it, says nothing there") {
  parlour p;
  CHECK(p.w.run(talk_from_outside(p)) == weft::status{});
  p.w.settle();
  CHECK(p.gate.Push.calls().empty());
}
