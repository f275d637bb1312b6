// What a whole lobby promises its players, in virtual time: gate, lobby and cards as they are, chat as a test wants it.
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/dump.hpp>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/world.hpp>

#include "../support/guest.hpp"
#include "lobby/cards_service.hpp"
#include "lobby/chat_service.hpp"
#include "lobby/gate.hpp"
#include "lobby/lobby_service.hpp"
#include "lobby/v1/chat.weft.fake.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;
using weft::code;

namespace {

constexpr auto turn_limit = 30s;
constexpr auto chat_takes = 200ms;
constexpr auto chat_limit = 1s;

enum class chat_is { slow, scripted };

constexpr auto no_journal = 0ms;
const std::vector<std::string> two{"ann", "bob"};
const std::vector<std::string> three{"ann", "bob", "cid"};

struct parlour {
  explicit parlour(chat_is which, weft::duration journal = no_journal, load most = {})
      : cards{w, home, journal, turn_limit, most}, chat{w, home, chat_takes, most} {
    script.Enter.returns({});
    script.Exit.returns({});
    const auto talk = which == chat_is::slow ? v1::Chat::client{chat} : v1::Chat::client{script};
    home.use({v1::Lobby::client{desk}, v1::Cards::client{cards}, talk, v1::LANES, chat_limit});
  }
  ~parlour() {
    for (auto* s : {static_cast<weft::service*>(&home), static_cast<weft::service*>(&desk),
                    static_cast<weft::service*>(&cards), static_cast<weft::service*>(&chat)}) {
      w.run(s->stop(weft::stop_mode::abort));  // in which time passes: players say goodbye to a chat that hangs
    }
  }

  /// Somebody who is logged in.
  weft::task<weft::result<guest>> admit(std::string name, weft::link_options at_the_gate = gate::connection) {
    auto links = weft::memory_links(w.control(), home.strand(), {}, at_the_gate);
    auto welcome = [this, link = std::move(links.second)]() mutable { home.welcome(std::move(link)); };
    co_await weft::ok(home.strand().try_post(std::move(welcome)));
    guest player{std::move(links.first), w.control()};
    const auto answer = co_await weft::ok(player.ask(log_in_as(std::move(name))));
    CHECK(code_of(answer) == code::ok);
    co_return player;
  }
  weft::task<weft::result<std::vector<guest>>> seat(std::vector<std::string> names) {
    std::vector<guest> all;
    for (const auto& name : names) {
      all.push_back(co_await weft::ok(admit(name)));
      const auto joined = co_await weft::ok(all.back().ask(join_table(static_cast<std::uint32_t>(names.size()))));
      CHECK(code_of(joined) == code::ok);
    }
    co_return all;
  }

  weft::test::world w;
  gate home{w};
  cards_service cards;
  lobby_service desk{w, cards, home};
  chat_service chat;
  v1::Chat::fake script{w};
};

void play(chat_is which, weft::task<weft::status> (*script)(parlour&)) {
  parlour p{which};
  CHECK(p.w.run(script(p)) == weft::status{});
}

bool says_it_is_over(const v1::ServerMessage& m) { return m.table().view().over(); }

weft::task<weft::status> fall_asleep(parlour& p) {
  auto players = co_await weft::ok(p.seat(two));
  auto& bob = players[1];
  const auto dealt = co_await weft::ok(bob.next_table_event());
  CHECK(dealt.table().view().turn() == 0);
  const auto begin = p.w.now();
  const auto with_bob = [](const v1::ServerMessage& m) { return m.has_table() && m.table().view().turn() == 1; };
  // A guest is not as patient as a turn is long.
  co_await weft::ok(weft::sleep_for(turn_limit - 1ms));
  CHECK(bob.kept().empty());
  co_await weft::ok(bob.next(with_bob));
  CHECK(p.w.now() - begin >= turn_limit);
  CHECK(p.w.now() - begin <= turn_limit + 1ms);
  co_return weft::status{};
}

weft::task<weft::status> play_while_chat_hangs(parlour& p) {
  p.script.Say.hangs();
  auto players = co_await weft::ok(p.seat(two));
  auto& ann = players[0];
  const auto begin = p.w.now();
  const auto line = ann.send(say("is anybody there?"));
  for (int i = 0; i < 100; ++i) {
    const auto answer = co_await weft::ok(ann.ask(look_at_hand()));
    CHECK(code_of(answer) == code::ok);
  }
  CHECK(p.w.now() == begin);
  const auto unheard = co_await weft::ok(ann.answer_to(line));
  CHECK(code_of(unheard) == code::deadline_exceeded);
  CHECK(p.w.now() - begin <= chat_limit + 1ms);
  co_return weft::status{};
}

weft::task<weft::status> leave_while_chat_hangs(parlour& p) {
  auto players = co_await weft::ok(p.seat(two));
  auto& ann = players[0];
  auto& bob = players[1];
  p.script.Say.hangs();
  p.script.Enter.hangs();
  p.script.Exit.hangs();
  const auto begin = p.w.now();
  ann.send(say("is anybody there?"));
  const auto left = co_await weft::ok(ann.ask(leave_table()));
  CHECK(code_of(left) == code::ok);
  co_await weft::ok(bob.next(&says_it_is_over));
  const auto elsewhere = co_await weft::ok(ann.ask(join_table(2)));
  CHECK(code_of(elsewhere) == code::ok);
  CHECK(p.w.now() == begin);
  co_return weft::status{};
}

weft::task<weft::status> say_good_bye(parlour& p) {
  auto players = co_await weft::ok(p.seat(two));
  auto& ann = players[0];
  auto& bob = players[1];
  const auto begin = p.w.now();
  const auto first = ann.send(say("one moment"));
  const auto second = ann.send(say("I have to go"));
  const auto left = co_await weft::ok(ann.ask(leave_table()));
  CHECK(code_of(left) == code::ok);
  CHECK(p.w.now() == begin);
  for (const auto seq : {first, second}) CHECK(code_of(co_await weft::ok(ann.answer_to(seq))) == code::ok);
  for (const auto* text : {"one moment", "I have to go"}) {
    const auto heard = co_await weft::ok(bob.next_chat_event());
    CHECK(heard.chat().text() == text);
  }
  CHECK(p.w.now() - begin <= 2 * chat_takes + 2ms);
  const auto too_late = co_await weft::ok(ann.ask(say("still here")));
  CHECK(code_of(too_late) == code::failed_precondition);
  co_return weft::status{};
}

// Each room has its own lines, in order with the changes from one to the other.
weft::task<weft::status> talk_at_two_tables(parlour& p) {
  auto ann = co_await weft::ok(p.admit("ann"));
  for (const auto* text : {"at the first", "at the second"}) {
    const auto table = (co_await weft::ok(ann.ask(join_table(2)))).join().table();
    ann.send(say(text));
    co_await weft::ok(ann.ask(leave_table()));
    const auto heard = co_await weft::ok(ann.next_chat_event());
    CHECK(heard.chat().text() == text);
    CHECK(heard.chat().room() == table);
    CHECK(heard.chat().line() == 1);
  }
  co_return weft::status{};
}

weft::task<weft::status> sit_down_while_chat_hangs(parlour& p) {
  p.script.Enter.once().hangs();
  p.script.Say.returns({});
  auto players = co_await weft::ok(p.seat(two));
  auto& ann = players[0];
  CHECK(code_of(co_await weft::ok(ann.ask(say("is anybody there?")))) == code::ok);
  const auto& entered = p.script.Enter.calls();
  CHECK(entered.size() == 3);
  CHECK(entered.back().name() == "ann");
  co_return weft::status{};
}

weft::task<weft::status> talk_when_chat_is_new(parlour& p) {
  auto players = co_await weft::ok(p.seat(two));
  p.script.Say.once().fails(weft::not_found("player 1 is not in room 1"));
  p.script.Say.returns({});
  CHECK(code_of(co_await weft::ok(players[0].ask(say("good evening")))) == code::ok);
  CHECK(p.script.Enter.calls().size() == 3);
  p.script.Say.fails(weft::not_found("there is nothing here"));
  const auto refused = co_await weft::ok(players[0].ask(say("good evening")));
  CHECK(refused.error() == "there is nothing here");
  CHECK(p.script.Say.calls().size() == 4);
  co_return weft::status{};
}

weft::task<weft::status> talk_too_much(parlour& p) {
  p.script.Say.hangs();
  auto players = co_await weft::ok(p.seat(two));
  auto& ann = players[0];
  for (std::size_t i = 0; i < 1 + player::chat_limit; ++i) ann.send(say("is anybody there?"));
  const auto refused = co_await weft::ok(ann.ask(say("hello?")));
  CHECK(code_of(refused) == code::resource_exhausted);
  CHECK(refused.error() == "5 lines are on their way already");
  co_return weft::status{};
}

// One of each runs, one waits, and the third is told so; after that there is room again.
weft::task<weft::status> ask_for_too_much(parlour& p) {
  auto players = co_await weft::ok(p.seat(three));
  auto& cid = players.back();
  for (const auto& [message, why] : {std::pair{look_at_hand(), "journal: 1 run and 1 wait, which is the limit"},
                                     std::pair{say("good evening"), "chat: 1 run and 1 wait, which is the limit"}}) {
    std::vector<std::uint64_t> sent;
    for (auto& one : players) sent.push_back(one.send(message));
    const auto refused = co_await weft::ok(cid.answer_to(sent.back()));
    CHECK(code_of(refused) == code::resource_exhausted);
    CHECK(refused.error() == why);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto taken = co_await weft::ok(players[i].answer_to(sent[i]));
      CHECK(code_of(taken) == code::ok);
    }
    const auto again = co_await weft::ok(cid.ask(message));
    CHECK(code_of(again) == code::ok);
  }
  co_return weft::status{};
}

weft::task<weft::status> leave_an_overload(parlour& p) {
  auto players = co_await weft::ok(p.seat(three));
  for (auto& one : players) {
    one.send(look_at_hand());
    one.send(say("good evening"));
  }
  auto& cid = players.back();
  const auto left = co_await weft::ok(cid.ask(leave_table()));
  CHECK(code_of(left) == code::ok);
  co_return weft::status{};
}

weft::task<weft::status> look_for_players(parlour& p) {
  const auto listed = [](const char* what) { return weft::dump_here().find(what) != std::string::npos; };
  auto links = weft::memory_links(p.w.control(), p.home.strand());
  auto welcome = [&p, link = std::move(links.second)]() mutable { p.home.welcome(std::move(link)); };
  co_await weft::ok(p.home.strand().try_post(std::move(welcome)));
  guest ann{std::move(links.first), p.w.control()};
  co_await weft::ok(weft::sleep_for(1ms));
  CHECK(listed(" / player / "));
  CHECK_FALSE(listed("player="));
  co_await weft::ok(ann.ask(log_in_as("ann")));
  CHECK(listed(", player=ann\n"));
  co_await weft::ok(ann.hang_up());
  co_await weft::ok(weft::sleep_for(1ms));
  CHECK_FALSE(listed("player"));
  CHECK(listed(" / events on their way to the gate"));
  co_return weft::status{};
}

// One of three does not read what is sent to him: the bytes that may wait for him are few.
weft::task<weft::status> talk_beside_a_sleeper(parlour& p) {
  auto ann = co_await weft::ok(p.admit("ann"));
  auto bob = co_await weft::ok(p.admit("bob"));
  auto sleeper = co_await weft::ok(p.admit("cid", {.outbound_messages = 4, .slow = weft::slow_policy::disconnect}));
  for (auto* one : {&ann, &bob, &sleeper}) co_await weft::ok(one->ask(join_table(3)));
  constexpr int lines = 500;  // more than the connection holds by itself
  for (int i = 1; i <= lines; ++i) {
    const auto begin = p.w.now();
    co_await weft::ok(ann.ask(say(std::to_string(i))));
    CHECK(p.w.now() - begin <= chat_takes + 2ms);
    const auto heard = co_await weft::ok(bob.next_chat_event());
    CHECK(heard.chat().text() == std::to_string(i));
    CHECK(heard.chat().line() == static_cast<std::uint64_t>(i));
  }
  CHECK(p.home.connected() == 2);
  co_return weft::status{};
}

}  // namespace

TEST_CASE("a player who does not play is played for when the turn is over, and the others hear it") {
  play(chat_is::scripted, &fall_asleep);
}

TEST_CASE("a chat that does not answer delays no card, and its lines end at their limit") {
  play(chat_is::scripted, &play_while_chat_hangs);
}

TEST_CASE("who leaves while chat does not answer has left at once, and so has the game ended") {
  play(chat_is::scripted, &leave_while_chat_hangs);
}

TEST_CASE("who leaves waits for no line, and what was said before is heard all the same") {
  play(chat_is::slow, &say_good_bye);
}

TEST_CASE("a line is said in the room of the table at which it was said") { play(chat_is::slow, &talk_at_two_tables); }

TEST_CASE("who sat down while chat did not answer can talk once it does") {
  play(chat_is::scripted, &sit_down_while_chat_hangs);
}

TEST_CASE("who chat does not know any more is told to it again, once, with the line") {
  play(chat_is::scripted, &talk_when_chat_is_new);
}

TEST_CASE("a sixth line is refused while five are on their way") { play(chat_is::scripted, &talk_too_much); }

TEST_CASE("what cards and chat cannot take on is refused at once, with the reason, and only that") {
  parlour p{chat_is::slow, 50ms, {.running = 1, .waiting = 1}};
  CHECK(p.w.run(ask_for_too_much(p)) == weft::status{});
}

TEST_CASE("who leaves is let go however much there is to do") {
  parlour p{chat_is::slow, 50ms, {.running = 1, .waiting = 1}};
  CHECK(p.w.run(leave_an_overload(p)) == weft::status{});
}

TEST_CASE("a dump calls players by their names") { play(chat_is::scripted, &look_for_players); }

TEST_CASE("a player who does not take what is said delays nobody in the room, and is let go") {
  play(chat_is::slow, &talk_beside_a_sleeper);
}
