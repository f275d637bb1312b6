// A whole lobby in one process, played at over every transport.
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/guest.hpp"
#include "lobby/process.hpp"
#include "lobby/topology.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;
using weft::code;

namespace {

enum class transport { tcp, memory, memory_byte_by_byte };
constexpr std::array transports{transport::tcp, transport::memory, transport::memory_byte_by_byte};

const char* name_of(transport t) {
  switch (t) {
    case transport::tcp: return "TCP";
    case transport::memory: return "memory";
    case transport::memory_byte_by_byte: return "memory, a byte at a time";
  }
  return "?";
}

v1::Topology all_in_one() {
  v1::Topology t;
  t.set_listen("127.0.0.1:0");
  t.set_journal_max_ms(2);
  return with_defaults(t);
}

// The lobby with its services on one thread, its players on another.
class venue {
 public:
  venue(transport way, const v1::Topology& topology) : way_{way} {
    auto started = process::start(role::all, topology);
    REQUIRE(started.status() == weft::status{});
    lobby_ = std::move(*started);
  }
  ~venue() {
    const auto left = lobby_->stop();
    CHECK(left.tasks == 0);
    CHECK(left.calls == 0);
  }

  weft::task<weft::result<guest>> connect() {
    if (way_ == transport::tcp) {
      auto link = co_await weft::ok(weft::tcp_connect(sockets_, players_.control(), lobby_->player_address()));
      co_return guest{std::move(link), players_.control()};
    }
    auto& home = *lobby_->players();
    const std::size_t chunk = way_ == transport::memory_byte_by_byte ? 1 : 0;
    auto links = weft::memory_links(players_.control(), home.strand(), {}, chunk);
    auto welcome = [&home, link = std::move(links.second)]() mutable { home.welcome(std::move(link)); };
    co_await weft::ok(home.strand().try_post(std::move(welcome)));
    co_return guest{std::move(links.first), players_.control()};
  }

  weft::task<weft::result<guest>> admit(std::string name) {
    auto player = co_await weft::ok(connect());
    const auto answer = co_await weft::ok(player.ask(log_in_as(name)));
    CHECK(code_of(answer) == code::ok);
    CHECK(answer.login().player() != 0);
    co_return player;
  }

  void play(weft::task<weft::status> (*script)(venue&)) {
    CHECK(weft::sync_wait(players_, script(*this)) == weft::status{});
  }

 private:
  transport way_;
  weft::runtime players_;
  weft::io sockets_;
  std::unique_ptr<process> lobby_;
};

void over_every_transport(weft::task<weft::status> (*script)(venue&), const v1::Topology& topology = all_in_one()) {
  for (const auto way : transports) {
    CAPTURE(name_of(way));
    venue{way, topology}.play(script);
  }
}

weft::task<weft::status> sit_down(guest& player, std::uint64_t table, std::uint32_t seat) {
  const auto answer = co_await weft::ok(player.ask(join_table(2)));
  CHECK(code_of(answer) == code::ok);
  CHECK(answer.join().table() == table);
  CHECK(answer.join().seat() == seat);
  co_return weft::status{};
}

// Sends a whole turn at once: it is answered and played in the order in which it was sent.
weft::task<weft::status> play_turn(guest& player, std::uint64_t moves_before) {
  std::vector<std::uint64_t> sent;
  for (const auto& command : {draw_card(), draw_card(), draw_card(), pass_turn()}) sent.push_back(player.send(command));
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const auto answer = co_await weft::ok(player.next_answer());
    CHECK(code_of(answer) == code::ok);
    CHECK(answer.reply_to() == sent[i]);
    CHECK(answer.card().played_as() == i + 1);
    CHECK(answer.card().refusal() == "");
    CHECK(answer.card().view().moves() == moves_before + i + 1);
  }
  co_return weft::status{};
}

weft::task<weft::status> hear_moves(guest& player, std::uint64_t until) {
  for (std::uint64_t moves = 0; moves <= until; ++moves) {
    const auto event = co_await weft::ok(player.next_table_event());
    CHECK(event.table().view().moves() == moves);
    CHECK(event.table().view().turn() == (moves < 4 ? 0 : moves < 8 ? 1 : 0));
  }
  co_return weft::status{};
}

weft::task<weft::status> hear_line(guest& player, std::uint64_t line, std::string name, std::string text) {
  const auto event = co_await weft::ok(player.next_chat_event());
  CHECK(event.chat().line() == line);
  CHECK(event.chat().name() == name);
  CHECK(event.chat().text() == text);
  co_return weft::status{};
}

// Asks, and expects to be refused with this.
weft::task<weft::status> be_refused(guest& player, v1::ClientMessage with, code as, std::string error) {
  const auto answer = co_await weft::ok(player.ask(std::move(with)));
  CHECK(code_of(answer) == as);
  CHECK(answer.error() == error);
  co_return weft::status{};
}

weft::task<weft::status> whole_evening(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  auto bob = co_await weft::ok(v.admit("bob"));
  co_await weft::ok(sit_down(ann, 1, 0));
  co_await weft::ok(sit_down(bob, 1, 1));

  co_await weft::ok(play_turn(ann, 0));
  co_await weft::ok(play_turn(bob, 4));
  for (auto* player : {&ann, &bob}) co_await weft::ok(hear_moves(*player, 8));

  CHECK((co_await weft::ok(ann.ask(say("nice cards")))).say().line() == 1);
  CHECK((co_await weft::ok(bob.ask(say("thanks")))).say().line() == 2);
  for (auto* player : {&ann, &bob}) {
    co_await weft::ok(hear_line(*player, 1, "ann", "nice cards"));
    co_await weft::ok(hear_line(*player, 2, "bob", "thanks"));
  }

  const auto list = co_await weft::ok(ann.ask(list_tables()));
  CHECK(list.list().tables_size() == 1);
  CHECK(list.list().tables(0).players_size() == 2);
  CHECK(code_of(co_await weft::ok(ann.ask(leave_table()))) == code::ok);
  const auto end = co_await weft::ok(bob.next_table_event());
  CHECK(end.table().view().over());
  CHECK(end.table().view().winner() == 1);
  co_return weft::status{};
}

weft::task<weft::status> disconnect_in_game(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  auto bob = co_await weft::ok(v.admit("bob"));
  co_await weft::ok(sit_down(ann, 1, 0));
  co_await weft::ok(sit_down(bob, 1, 1));
  co_await weft::ok(ann.hang_up());
  const auto until_over = [](const v1::ServerMessage& m) { return m.table().view().over(); };
  CHECK((co_await weft::ok(bob.next(until_over))).table().view().winner() == 1);
  auto other_ann = co_await weft::ok(v.connect());
  // The name is free once she has been logged out, which is after she has left the table.
  co_await weft::ok(other_ann.ask_until(log_in_as("ann"), &succeeded));
  const auto list = co_await weft::ok(other_ann.ask(list_tables()));
  CHECK(list.list().tables_size() == 1);
  CHECK(list.list().tables(0).players_size() == 1);
  CHECK(list.list().tables(0).players(0) == "bob");
  co_return weft::status{};
}

weft::task<weft::status> skip_login(venue& v) {
  auto player = co_await weft::ok(v.connect());
  co_await weft::ok(be_refused(player, draw_card(), code::failed_precondition, "log in first"));
  co_await weft::ok(be_refused(player, join_table(2), code::failed_precondition, "log in first"));
  co_await weft::ok(
      be_refused(player, say("hello"), code::failed_precondition, "join a table first: its room is where you talk"));
  CHECK(code_of(co_await weft::ok(player.ask(log_in_as("ann")))) == code::ok);
  co_return weft::status{};
}

weft::task<weft::status> use_bad_names(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  auto other = co_await weft::ok(v.connect());
  const std::string long_name(lobby_service::longest_name + 1, 'x');
  co_await weft::ok(be_refused(other, log_in_as("ann"), code::already_exists, "the name 'ann' is taken"));
  co_await weft::ok(be_refused(other, log_in_as(""), code::invalid_argument, "a name has 1 to 40 bytes, this one 0"));
  co_await weft::ok(
      be_refused(other, log_in_as(long_name), code::invalid_argument, "a name has 1 to 40 bytes, this one 41"));
  co_await weft::ok(
      be_refused(other, log_in_as("\x1b[2J"), code::invalid_argument, "a name has no control characters"));
  co_await weft::ok(be_refused(ann, log_in_as("anna"), code::failed_precondition, "you are logged in"));
  CHECK(code_of(co_await weft::ok(other.ask(log_in_as("bob")))) == code::ok);
  co_return weft::status{};
}

weft::task<weft::status> send_bad_frame(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  ann.send_bytes("\xff\xff\xff");
  const auto answer = co_await weft::ok(ann.next([](const auto&) { return true; }));
  CHECK(answer.reply_to() == 0);
  CHECK(code_of(answer) == code::invalid_argument);
  CHECK(answer.error() == "the frame is no ClientMessage");
  CHECK((co_await ann.next_answer()).status() == weft::unavailable("the gate closed the link"));
  co_return weft::status{};
}

weft::task<weft::status> look_for_wrong_tables(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  auto bob = co_await weft::ok(v.admit("bob"));
  auto cid = co_await weft::ok(v.admit("cid"));
  co_await weft::ok(be_refused(ann, join_table(2, 99), code::not_found, "there is no table 99"));
  co_await weft::ok(be_refused(ann, join_table(7), code::invalid_argument, "a table has 2 to 4 seats, not 7"));
  co_await weft::ok(be_refused(ann, look_at_hand(), code::not_found, "there is no table 0"));
  co_await weft::ok(be_refused(ann, leave_table(), code::failed_precondition, "sits at no table"));
  co_await weft::ok(be_refused(ann, {}, code::invalid_argument, "the message is empty, or newer than this server"));
  co_await weft::ok(sit_down(ann, 1, 0));
  co_await weft::ok(sit_down(bob, 1, 1));
  co_await weft::ok(be_refused(ann, join_table(2), code::failed_precondition, "sits at table 1"));
  co_await weft::ok(be_refused(cid, join_table(2, 1), code::resource_exhausted, "table 1 has no free seat"));
  co_await weft::ok(be_refused(ann, say(""), code::invalid_argument, "a line has 1 to 500 bytes, this one 0"));
  co_return weft::status{};
}

weft::task<weft::status> send_too_much(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  auto bob = co_await weft::ok(v.admit("bob"));
  co_await weft::ok(sit_down(ann, 1, 0));
  co_await weft::ok(sit_down(bob, 1, 1));
  constexpr auto accepted = 1 + player::card_limit;  // one runs, the others wait
  std::vector<std::uint64_t> sent;
  for (std::size_t i = 0; i < accepted; ++i) sent.push_back(ann.send(look_at_hand()));
  const auto refused = ann.send(look_at_hand());

  const auto refusal = co_await weft::ok(ann.next_answer());  // waits for nothing, so it comes first
  CHECK(refusal.reply_to() == refused);
  CHECK(code_of(refusal) == code::resource_exhausted);
  CHECK(refusal.error() == "cards lane is full: 16 wait");
  for (const auto seq : sent) {
    const auto answer = co_await weft::ok(ann.next_answer());
    CHECK(answer.reply_to() == seq);
    CHECK(code_of(answer) == code::ok);
  }
  co_return weft::status{};
}

constexpr auto slow_chat = 200ms;
constexpr auto commands_behind_chat = 5;

// Says something and plays on at once. The answers, in the order in which they come: true is that of chat.
weft::task<weft::result<std::vector<bool>>> play_behind_chat(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  auto bob = co_await weft::ok(v.admit("bob"));
  co_await weft::ok(sit_down(ann, 1, 0));
  co_await weft::ok(sit_down(bob, 1, 1));
  ann.send(say("one moment"));
  for (int i = 0; i < commands_behind_chat; ++i) ann.send(look_at_hand());
  std::vector<bool> answers;
  for (int i = 0; i < commands_behind_chat + 1; ++i) {
    const auto answer = co_await weft::ok(ann.next_answer());
    CHECK(code_of(answer) == code::ok);
    answers.push_back(answer.has_say());
  }
  co_return answers;
}

weft::task<weft::status> cards_pass_chat(venue& v) {
  const auto answers = co_await weft::ok(play_behind_chat(v));
  CHECK(answers == std::vector<bool>{false, false, false, false, false, true});
  co_return weft::status{};
}

weft::task<weft::status> cards_queue_behind_chat(venue& v) {
  const auto begin = std::chrono::steady_clock::now();
  const auto answers = co_await weft::ok(play_behind_chat(v));
  CHECK(answers == std::vector<bool>{true, false, false, false, false, false});
  CHECK(std::chrono::steady_clock::now() - begin >= slow_chat);
  co_return weft::status{};
}

weft::task<weft::status> talk_and_leave(venue& v) {
  auto ann = co_await weft::ok(v.admit("ann"));
  co_await weft::ok(sit_down(ann, 1, 0));
  const auto first = ann.send(say("one moment"));
  const auto second = ann.send(say("I have to go"));
  const auto left = ann.send(leave_table());
  for (const auto seq : {left, first, second}) {
    const auto answer = co_await weft::ok(ann.next_answer());
    CHECK(answer.reply_to() == seq);
    CHECK(answer.error() == "");
  }
  co_return weft::status{};
}

v1::Topology with_slow_chat(v1::Handling handling) {
  auto t = all_in_one();
  t.set_chat_delay_ms(static_cast<std::uint32_t>(slow_chat.count()));
  t.set_handling(handling);
  return t;
}

}  // namespace

TEST_CASE("players log in, sit down, play in order, chat, and hear what the others do") {
  over_every_transport(&whole_evening);
}

TEST_CASE("a player who disconnects has left the table and the lobby") { over_every_transport(&disconnect_in_game); }

TEST_CASE("who has not logged in is told to, and can still do so") { over_every_transport(&skip_login); }

TEST_CASE("a name that is taken, empty, too long or no text, and a second login, are refused") {
  over_every_transport(&use_bad_names);
}

TEST_CASE("a frame that is no message is answered with what is wrong, and is the last") {
  over_every_transport(&send_bad_frame);
}

TEST_CASE("a table that does not exist or is full, and commands out of place, are refused with the reason") {
  over_every_transport(&look_for_wrong_tables);
}

TEST_CASE("a 17th card command that would have to wait is refused, the 16 before it are played") {
  auto slow = all_in_one();
  slow.set_journal_max_ms(50);  // the first is still running when the last arrives
  over_every_transport(&send_too_much, slow);
}

TEST_CASE("in lanes, cards sent after a line of slow chat are answered before it") {
  over_every_transport(&cards_pass_chat, with_slow_chat(v1::LANES));
}

TEST_CASE("in one queue, cards sent after a line of slow chat wait for it") {
  over_every_transport(&cards_queue_behind_chat, with_slow_chat(v1::QUEUE));
}

TEST_CASE("who leaves does not wait for slow chat, and what was sent before is said all the same") {
  over_every_transport(&talk_and_leave, with_slow_chat(v1::LANES));
}
