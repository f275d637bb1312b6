#include "lobby/robot.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/when_all.hpp>

#include "../support/virtual_time.hpp"
#include "lobby/eights.hpp"

using namespace std::chrono_literals;
using namespace lobby;

namespace {

// A gate, a lobby with one table for two, cards and chat in one, without a network. It notes how its players behave.
class fake_gate {
 public:
  explicit fake_gate(test::virtual_time& t) : rt_{t.rt} {
    for (auto& p : players_) {
      std::tie(p.here, p.there) = weft::memory_links(t.rt.control(), t.rt.control());
    }
  }

  ~fake_gate() {
    weft::visit(rt_.worker_at(0), [this] {
      for (auto& p : players_) {
        p.here.reset();
        p.there.reset();
      }
    });
  }

  weft::link& robots_end(std::size_t player) { return *players_[player].there; }

  weft::task<> serve() {
    co_await weft::with_scope(
        [](fake_gate* g, weft::scope& all) -> weft::task<> {
          for (std::size_t i = 0; i < g->players_.size(); ++i) {
            std::ignore = all.start(&fake_gate::serve_one, g, i, std::ref(all));
          }
          co_return;
        },
        this);
  }

  weft::duration chat_takes = 200ms;
  bool let_second_overtake = false;  // of two commands that are sent back to back
  bool mute = false;                 // answers no command
  bool gone = false;                 // hangs up at once
  bool closes_first_table = false;   // while one robot waits there

  std::uint64_t commands = 0;
  std::uint64_t says = 0;
  std::size_t most_unanswered = 0;
  std::uint64_t games_over = 0;
  std::uint64_t eights_played = 0;  // not as last card
  std::uint64_t pairs = 0;          // an eight whose suit was there before the eight was answered

 private:
  struct player {
    std::unique_ptr<weft::link> here;
    std::unique_ptr<weft::link> there;
    int seat = 0;
    std::size_t unanswered = 0;
    std::uint64_t played = 0;
    bool eight_unanswered = false;
    std::optional<v1::ClientMessage> held;  // a command that waits for the next one
  };

  weft::task<> serve_one(std::size_t index, weft::scope& all) {
    auto& p = players_[index];
    if (gone) p.here->close();
    while (auto frame = co_await p.here->receive()) {
      v1::ClientMessage m;
      REQUIRE(m.ParseFromString(*frame));
      if (m.has_say()) {
        ++says;
        most_unanswered = std::max(most_unanswered, ++p.unanswered);
        std::ignore = all.after(chat_takes, &fake_gate::answer_say, this, index, m.seq());
      } else if (m.has_card()) {
        ++commands;
        note_eight(p, m.card());
        if (!mute) std::ignore = all.after(1ms, &fake_gate::on_card, this, index, std::move(m));
      } else {
        seat_or_unseat(p, m);
      }
    }
    p.here->close();
  }

  void note_eight(player& p, const v1::Command& what) {
    if (what.has_choose() && p.eight_unanswered) ++pairs;
    if (!what.has_play() || card_from_code(what.play())->rank != wild_rank || game_->hand_size(p.seat) == 1) return;
    ++eights_played;
    p.eight_unanswered = true;
  }

  weft::task<> answer_say(std::size_t index, std::uint64_t seq) {
    auto& p = players_[index];
    --p.unanswered;
    v1::ServerMessage answer;
    answer.mutable_say();
    send(p, seq, std::move(answer));
    co_return;
  }

  void seat_or_unseat(player& p, const v1::ClientMessage& m) {
    v1::ServerMessage answer;
    if (m.has_login()) {
      answer.mutable_login();
    } else if (m.has_join()) {
      CHECK(m.join().seats() == 2);
      p.seat = waiting_ == nullptr ? 0 : 1;
      waiting_ = waiting_ == nullptr ? &p : nullptr;
      p.played = 0;
      if (std::exchange(closes_first_table, false)) {
        waiting_ = nullptr;
        v1::ServerMessage event;
        event.mutable_closed()->set_table(table_ + 1);
        send(p, 0, std::move(event));  // before the answer: events may overtake it
      }
      answer.mutable_join()->set_table(p.seat == 0 ? ++table_ : table_);
      answer.mutable_join()->set_seat(static_cast<std::uint32_t>(p.seat));
      if (p.seat == 1) {
        game_.emplace(2, table_);
        announce();  // before the answer: events may overtake it
      }
    } else {
      CHECK(m.has_leave());
      CHECK(p.unanswered == 0);
      if (waiting_ == &p) waiting_ = nullptr;
      answer.mutable_leave();
    }
    send(p, m.seq(), std::move(answer));
  }

  weft::task<> on_card(std::size_t index, v1::ClientMessage m) {
    auto& p = players_[index];
    if (p.eight_unanswered && m.card().has_play() && let_second_overtake) {
      p.held = std::move(m);
      co_return;
    }
    play(p, m);
    if (p.held) play(p, *std::exchange(p.held, std::nullopt));
  }

  void play(player& p, const v1::ClientMessage& m) {
    const auto& what = m.card();
    const auto before = game_->moves();
    auto verdict = refusal::none;
    if (what.has_play()) p.eight_unanswered = false;
    if (what.has_play()) verdict = game_->play(p.seat, *card_from_code(what.play()));
    if (what.has_choose()) verdict = game_->choose(p.seat, *suit_from_code(what.choose()));
    if (what.has_draw()) verdict = game_->draw(p.seat);
    if (what.has_pass()) verdict = game_->pass(p.seat);
    if (game_->moves() != before) announce();
    v1::ServerMessage answer;
    auto& reply = *answer.mutable_card();
    reply.set_played_as(++p.played);
    if (verdict != refusal::none) reply.set_refusal(to_string(verdict));
    for (const auto c : game_->hand(p.seat)) reply.add_hand(to_code(c));
    reply.set_may_draw(game_->can_draw(p.seat));
    reply.set_may_pass(game_->can_pass(p.seat));
    *reply.mutable_view() = look();
    send(p, m.seq(), std::move(answer));
  }

  v1::PublicView look() const {
    v1::PublicView v;
    v.set_table(table_);
    v.set_moves(game_->moves());
    v.set_top(to_code(game_->top()));
    v.set_match(static_cast<std::uint32_t>(game_->suit_to_match()));
    v.set_turn(static_cast<std::uint32_t>(game_->turn()));
    v.set_choosing(game_->phase() == game_phase::choosing);
    v.set_over(game_->phase() == game_phase::over);
    v.set_winner(static_cast<std::uint32_t>(game_->winner().value_or(0)));
    for (const int seat : {0, 1}) v.add_cards_held(static_cast<std::uint32_t>(game_->hand_size(seat)));
    return v;
  }

  void announce() {
    if (game_->phase() == game_phase::over) ++games_over;
    for (auto& p : players_) {
      v1::ServerMessage event;
      *event.mutable_table()->mutable_view() = look();
      send(p, 0, std::move(event));
    }
  }

  static void send(player& p, std::uint64_t reply_to, v1::ServerMessage message) {
    message.set_reply_to(reply_to);
    std::ignore = p.here->send(message.SerializeAsString());  // a robot that has left needs no answer
  }

  weft::runtime& rt_;
  std::array<player, 2> players_;
  std::optional<eights> game_;
  std::uint64_t table_ = 0;
  player* waiting_ = nullptr;  // for somebody to play with
};

struct evening {
  test::virtual_time time;
  fake_gate gate{time};
  tally counts;

  robot_plan plan(std::uint64_t seed) const {
    const auto until = time.clock.now() + 60s;
    return {.name = "robot", .seats = 2, .seed = seed, .until = until, .last_call = until + 30s};
  }

  // Two robots play for a minute. Yields how that ended for them.
  std::pair<weft::status, weft::status> play() {
    robot one{gate.robots_end(0), time.clock, plan(1), counts};
    robot two{gate.robots_end(1), time.clock, plan(2), counts};
    auto ended = time.run(weft::when_all(one.run(), two.run(), gate.serve()));
    return {std::get<0>(ended), std::get<1>(ended)};
  }
};

}  // namespace

TEST_CASE("robots play whole games without a mistake") {
  evening e;
  const auto ended = e.play();
  CHECK(ended.first == weft::status{});
  CHECK(ended.second == weft::status{});
  CHECK(e.counts.games > 5);
  CHECK(e.counts.games == e.gate.games_over);
  CHECK(e.counts.errors == 0);
  CHECK(e.counts.complaints.empty());
  CHECK(e.counts.commands == e.gate.commands);
  CHECK(e.counts.overtaken == 0);
  CHECK(e.counts.card.percentile(1) < 3ms);
}

TEST_CASE("robots play the same from the same seed") {
  evening once;
  evening again;
  once.play();
  again.play();
  CHECK(to_json(once.counts) == to_json(again.counts));
}

TEST_CASE("a robot sends the suit right behind its eight") {
  evening e;
  e.play();
  CHECK(e.gate.eights_played > 0);
  CHECK(e.gate.pairs == e.gate.eights_played);
  CHECK(e.counts.pairs == e.gate.pairs);
}

TEST_CASE("a robot counts commands that were overtaken, chooses again and plays on") {
  evening e;
  e.gate.let_second_overtake = true;
  const auto ended = e.play();
  CHECK(ended.first == weft::status{});
  CHECK(e.counts.overtaken == e.gate.eights_played);
  CHECK(e.counts.overtaken > 0);
  CHECK(e.counts.errors == e.counts.overtaken);
  CHECK(e.counts.complaints.begin()->first == "card: there is no suit to choose now");
  CHECK(e.counts.games > 5);
}

TEST_CASE("a robot says something at least once in five commands, and waits for no answer") {
  evening e;
  e.play();
  CHECK(e.gate.says * robot::commands_per_say >= e.gate.commands);
  CHECK(e.counts.says == e.gate.says);
  CHECK(e.counts.chat.count() == e.gate.says);
  CHECK(e.counts.chat.percentile(0.5) >= 200ms);
}

TEST_CASE("a robot leaves at most three of its lines unanswered") {
  evening e;
  e.gate.chat_takes = 2s;
  e.play();
  CHECK(e.gate.most_unanswered == robot::most_unanswered);
  CHECK(e.gate.says * robot::commands_per_say >= e.gate.commands);
  CHECK(e.counts.games > 0);
}

TEST_CASE("a robot whose command is not answered gives up and says so") {
  evening e;
  e.gate.mute = true;
  const auto ended = e.play();
  CHECK(ended.first.code() == weft::code::deadline_exceeded);
  CHECK(e.counts.games == 0);
}

TEST_CASE("robots whose game could not begin count that and join again") {
  evening e;
  e.gate.closes_first_table = true;
  const auto ended = e.play();
  CHECK(ended.first == weft::status{});
  CHECK(ended.second == weft::status{});
  CHECK(e.counts.complaints == std::map<std::string, std::uint64_t>{{"the game did not begin", 1}});
  CHECK(e.counts.games > 5);
}

TEST_CASE("a robot whose gate is gone says so") {
  evening e;
  e.gate.gone = true;
  CHECK(e.play().first.code() == weft::code::unavailable);
}

TEST_CASE("of two commands one was overtaken when the later was played first") {
  v1::CommandReply first;
  v1::CommandReply second;
  CHECK_FALSE(overtook(first, second));  // neither was played
  first.set_played_as(1);
  CHECK_FALSE(overtook(first, second));
  second.set_played_as(2);
  CHECK_FALSE(overtook(first, second));
  first.set_played_as(3);
  CHECK(overtook(first, second));
}
