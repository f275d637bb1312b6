#include "lobby/robot.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>
#include <variant>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace lobby {
namespace {

using namespace std::chrono_literals;

constexpr std::array phrases{"your turn",     "nice card",      "not another eight!", "I knew it",
                             "hearts again?", "last card soon", "well played",        "one moment"};

v1::Command to_command(const decision& what) {
  struct {
    v1::Command command;
    void operator()(play_card move) { command.set_play(to_code(move.c)); }
    void operator()(choose_suit move) { command.set_choose(static_cast<std::uint32_t>(move.s)); }
    void operator()(draw_card) { command.set_draw(true); }
    void operator()(pass_turn) { command.set_pass(true); }
  } written;
  std::visit([&written](const auto& move) { written(move); }, what);
  return written.command;
}

std::string to_string(const v1::ServerMessage& refused) {
  return std::string{weft::to_string(static_cast<weft::code>(refused.code()))} + ": " + refused.error();
}

}  // namespace

bool overtook(const v1::CommandReply& sent_first, const v1::CommandReply& sent_second) {
  return sent_second.played_as() != 0 && sent_second.played_as() < sent_first.played_as();
}

/// A message that waits for its answer, as long as it is in scope.
class robot::question {
 public:
  explicit question(robot& asker) : seq{++asker.last_seq_}, asker_{asker} { asker.questions_[seq] = this; }
  ~question() { asker_.questions_.erase(seq); }
  question(const question&) = delete;
  question& operator=(const question&) = delete;

  const std::uint64_t seq;
  weft::time_point asked;
  weft::event answered;
  v1::ServerMessage answer;

 private:
  robot& asker_;
};

robot::robot(weft::link& gate, const weft::clock& time, robot_plan plan, tally& counts)
    : gate_{gate}, time_{time}, plan_{std::move(plan)}, counts_{counts}, random_{plan_.seed} {}

weft::task<weft::status> robot::run() { co_return co_await weft::with_scope(&robot::live, this); }

weft::task<weft::status> robot::live(weft::scope& all) {
  std::ignore = all.start(listen(), "listening");
  const auto outcome = co_await play_games();
  gate_.close();
  all.stop();
  co_return outcome;
}

weft::task<> robot::listen() {
  while (auto frame = co_await gate_.receive()) {
    v1::ServerMessage message;
    if (!message.ParseFromString(*frame)) {
      gate_is_gone(weft::internal_error("the gate sent something that is no ServerMessage"));
      co_return;
    }
    hear(std::move(message));
  }
  const auto& end = gate_.end();
  gate_is_gone(end.ok() ? weft::unavailable("the gate closed the connection") : end);
}

void robot::hear(v1::ServerMessage message) {
  if (message.reply_to() == 0) {
    if (message.has_chat()) ++counts_.lines_heard;
    if (message.has_closed()) {
      closed_ = message.closed().table();
      news_.set();
    }
    if (!message.has_table()) return;
    const auto& view = message.table().view();
    if (view.table() == seat_.table()) {
      seat_.hear(view);
      news_.set();
    } else if (joining_) {
      early_[view.table()] = view;
    }
    return;
  }
  if (const auto said = unanswered_.find(message.reply_to()); said != unanswered_.end()) {
    counts_.chat.record(time_.now() - said->second);
    unanswered_.erase(said);
    answered_.set();
    if (message.code() == 0) return;
    ++counts_.chat_errors[std::string{weft::to_string(static_cast<weft::code>(message.code()))}];
    counts_.complain("chat: " + to_string(message));
    return;
  }
  const auto asked = questions_.find(message.reply_to());
  if (asked == questions_.end()) {
    counts_.error("an answer to a message that waits for none");
    return;
  }
  auto& q = *asked->second;
  if (message.has_card()) counts_.card.record(time_.now() - q.asked);
  q.answer = std::move(message);
  q.answered.set();
}

void robot::gate_is_gone(weft::status why) {
  gone_ = std::move(why);
  for (const auto& [seq, asked] : questions_) asked->answered.set();
  answered_.set();
  news_.set();
}

weft::task<weft::status> robot::log_in() {
  v1::ClientMessage message;
  message.mutable_login()->set_name(plan_.name);
  const auto answer = co_await weft::ok(ask(std::move(message)));
  if (answer.code() == 0) co_return weft::status{};
  co_return weft::status{static_cast<weft::code>(answer.code()), "login as " + plan_.name + ": " + answer.error()};
}

weft::task<weft::status> robot::play_games() {
  co_await weft::ok(weft::sleep_for(some_time(0ms, most_thought)));  // so that they do not all speak at once
  co_await weft::ok(log_in());
  while (time_.now() < plan_.until) {
    v1::ClientMessage message;
    message.mutable_join()->set_seats(plan_.seats);
    joining_ = true;
    const auto answer = co_await weft::ok(ask(std::move(message)));
    joining_ = false;
    const auto early = std::exchange(early_, {});
    if (answer.code() != 0) {
      counts_.error("join: " + to_string(answer));
      co_await weft::ok(weft::sleep_for(stale));
      continue;
    }
    seat_ = seat{answer.join().table(), answer.join().seat()};
    if (const auto begin = early.find(seat_.table()); begin != early.end()) seat_.hear(begin->second);
    co_await weft::ok(play_game());
    co_await weft::ok(leave());
  }
  co_return weft::status{};
}

weft::task<weft::status> robot::play_game() {
  failed_looks_ = 0;
  while (!seat_.begun() && closed_ != seat_.table() && time_.now() < plan_.until) {
    std::ignore = co_await weft::ok(news_within(plan_.until - time_.now()));
  }
  while (seat_.begun() && !seat_.over() && time_.now() < plan_.last_call && failed_looks_ < most_failed_looks) {
    if (seat_.must_look()) {
      co_await weft::ok(look());
    } else if (seat_.my_turn()) {
      co_await weft::ok(move());
    } else {
      const bool heard = co_await weft::ok(news_within(std::min(stale, plan_.last_call - time_.now())));
      if (!heard) seat_.doubt();
    }
  }
  if (seat_.won()) ++counts_.games;  // so each game is counted once
  co_return weft::status{};
}

// What it said belongs to the table, so it waits for the answers before it goes.
weft::task<weft::status> robot::leave() {
  co_await weft::ok(wait_until_unanswered(0));
  if (closed_ == seat_.table()) {
    counts_.error("the game did not begin");
    co_return weft::status{};
  }
  v1::ClientMessage message;
  message.mutable_leave();
  const auto answer = co_await weft::ok(ask(std::move(message)));
  if (answer.code() != 0) counts_.error("leave: " + to_string(answer));
  co_return weft::status{};
}

weft::task<weft::status> robot::move() {
  co_await weft::ok(weft::sleep_for(some_time(least_thought, most_thought)));
  if (!seat_.my_turn() || seat_.must_look()) co_return weft::status{};  // things have changed meanwhile
  const auto seen = seat_.seen();
  const auto what = decide(seen, random_);
  std::optional<v1::Command> second;
  const auto* play = std::get_if<play_card>(&what);
  if (play != nullptr && play->c.rank == wild_rank && seen.hand.size() > 1) {
    second = to_command(decide(seat_.seen_after(play->c), random_));
  }
  co_return co_await command(to_command(what), std::move(second));
}

weft::task<weft::status> robot::look() {
  v1::Command look;
  look.set_look(true);
  ++failed_looks_;
  co_await weft::ok(command(std::move(look), std::nullopt));
  if (seat_.must_look()) co_return co_await weft::sleep_for(most_thought);
  failed_looks_ = 0;
  co_return weft::status{};
}

weft::task<weft::status> robot::command(v1::Command first, std::optional<v1::Command> second) {
  const std::uint32_t count = second ? 2 : 1;
  co_await weft::ok(maybe_say(count));
  commands_since_say_ += count;
  counts_.commands += count;

  question one{*this};
  v1::ClientMessage message;
  *message.mutable_card() = std::move(first);
  co_await weft::ok(send(one, std::move(message)));
  if (!second) {
    take_answer(co_await weft::ok(answer_to(one)));
    co_return weft::status{};
  }
  ++counts_.pairs;
  question two{*this};
  v1::ClientMessage next;
  *next.mutable_card() = std::move(*second);
  co_await weft::ok(send(two, std::move(next)));
  const auto first_answer = co_await weft::ok(answer_to(one));
  const auto second_answer = co_await weft::ok(answer_to(two));
  take_answer(first_answer);
  take_answer(second_answer);
  if (overtook(first_answer.card(), second_answer.card())) ++counts_.overtaken;
  co_return weft::status{};
}

void robot::take_answer(const v1::ServerMessage& answer) {
  if (answer.code() != 0) {
    counts_.error("card: " + to_string(answer));
    seat_.doubt();
    return;
  }
  const auto& reply = answer.card();
  seat_.be_told(reply);
  if (reply.refusal().empty()) return;
  if (reply.view().over()) return;  // the others left while the command was on its way
  counts_.error("card: " + reply.refusal());
  seat_.doubt();
}

weft::task<weft::status> robot::maybe_say(std::uint32_t before_commands) {
  const bool due = commands_since_say_ + before_commands > commands_per_say;
  if (!due && (random_.below(4) != 0 || unanswered_.size() >= most_unanswered)) co_return weft::status{};
  co_await weft::ok(wait_until_unanswered(most_unanswered - 1));
  v1::ClientMessage message;
  message.set_seq(++last_seq_);
  message.mutable_say()->set_text(phrases[random_.below(phrases.size())]);
  unanswered_[last_seq_] = time_.now();
  ++counts_.says;
  commands_since_say_ = 0;
  co_return gate_.send(message.SerializeAsString());
}

weft::task<weft::status> robot::wait_until_unanswered(std::size_t at_most) {
  while (unanswered_.size() > at_most) {
    if (!gone_.ok()) co_return gone_;
    answered_.reset();
    const auto waited = co_await weft::with_timeout(patience, answered_.wait());
    if (waited.code() != weft::code::deadline_exceeded) {
      co_await weft::ok(waited);
      continue;
    }
    unanswered_.erase(unanswered_.begin());
    ++counts_.chat_errors["NO_ANSWER"];
  }
  co_return weft::status{};
}

// False when there was none.
weft::task<weft::result<bool>> robot::news_within(weft::duration limit) {
  if (!gone_.ok()) co_return gone_;
  news_.reset();
  const auto waited = co_await weft::with_timeout(limit, news_.wait());
  if (waited.code() == weft::code::cancelled) co_return waited;
  co_return waited.ok();
}

weft::task<weft::result<v1::ServerMessage>> robot::ask(v1::ClientMessage message) {
  question asked{*this};
  co_await weft::ok(send(asked, std::move(message)));
  co_return co_await answer_to(asked);
}

weft::status robot::send(question& asked, v1::ClientMessage message) {
  message.set_seq(asked.seq);
  asked.asked = time_.now();
  return gate_.send(message.SerializeAsString());
}

weft::task<weft::result<v1::ServerMessage>> robot::answer_to(question& asked) {
  const auto waited = co_await weft::with_timeout(patience, asked.answered.wait());
  if (waited.code() == weft::code::deadline_exceeded) {
    co_return weft::deadline_exceeded("no answer to message " + std::to_string(asked.seq));
  }
  co_await weft::ok(waited);
  if (asked.answer.reply_to() == 0) co_return gone_;
  co_return std::move(asked.answer);
}

weft::duration robot::some_time(weft::duration least, weft::duration most) {
  return least + weft::duration{random_.below(static_cast<std::size_t>((most - least).count()) + 1)};
}

}  // namespace lobby
