#include "lobby/player.hpp"

#include <tuple>
#include <utility>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "lobby/gate.hpp"

namespace lobby {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t any_number = 1 << 20;

}  // namespace

player::player(gate& home, std::unique_ptr<weft::link> link, const player_services& services, weft::context& task)
    : gate_{home}, link_{std::move(link)}, services_{services}, task_{task} {}

// [loop]
weft::task<> player::run(weft::scope& scope) {
  // Order inside a lane, overlap across lanes: a slow chat server delays no card.
  weft::lane cards{scope, {.limit = card_limit, .name = "cards lane"}};
  weft::lane chat{scope, {.limit = chat_limit + room_changes, .name = "chat lane"}};

  // The two ways to compare with: everything in one queue (what blocking calls do), or a task for each message (what a
  // goroutine for each call does).
  if (services_.handling == v1::QUEUE) chat = cards = weft::lane{scope, {.limit = card_limit, .name = "queue"}};
  if (services_.handling == v1::SPAWN) chat = cards = weft::lane{scope, {.width = any_number, .name = "spawn"}};

  while (auto frame = co_await link_->receive()) {
    v1::ClientMessage message;
    if (!message.ParseFromString(*frame)) {
      send(0, weft::invalid_argument("the frame is no ClientMessage"));
      break;
    }
    dispatch(std::move(message), cards, chat);
  }
  cut_short_ = link_->end().code() == weft::code::cancelled;
  scope.stop();  // the player is gone: what is under way for it is cancelled
}

void player::dispatch(v1::ClientMessage message, weft::lane& cards, weft::lane& chat) {
  const auto seq = message.seq();
  const auto accepted = message.has_say() ? start_line(std::move(message), chat)
                                          : cards.run(&player::on_card, this, std::move(message), chat);
  if (!accepted.ok()) send(seq, accepted);
}
// [loop]

weft::status player::start_line(v1::ClientMessage message, weft::lane& chat) {
  if (lines_ > chat_limit) return weft::resource_exhausted(std::to_string(lines_) + " lines are on their way already");
  auto accepted = chat.run(&player::on_chat, this, std::move(message));
  if (accepted.ok()) ++lines_;
  return accepted;
}

weft::task<> player::on_chat(v1::ClientMessage message) {
  auto outcome = co_await answer_chat(*message.mutable_say());
  send(message.seq(), std::move(outcome));
  --lines_;
}

weft::task<> player::on_card(v1::ClientMessage message, weft::lane chat) {
  auto outcome = co_await answer_ordered(message, chat);
  send(message.seq(), std::move(outcome));
}

weft::reply<v1::ServerMessage> player::answer_chat(v1::Say& say) {
  if (room_ == 0) co_return weft::failed_precondition("join a table first: its room is where you talk");
  v1::SayRequest request;
  request.set_room(room_);
  request.set_player(id_);
  request.set_text(std::move(*say.mutable_text()));
  co_await weft::ok(make_sure_of_room());
  auto said = co_await services_.chat.Say(request, weft::within{services_.chat_limit});
  if (said.code() == weft::code::not_found) {  // chat was started again and knows nobody
    known_ = false;
    co_await weft::ok(make_sure_of_room());
    said = co_await services_.chat.Say(request, weft::within{services_.chat_limit});
  }
  v1::ServerMessage out;
  *out.mutable_say() = co_await weft::ok(std::move(said));
  co_return out;
}

// Chat follows in its own lane, behind the lines that were said before: so what was said at a table belongs into its room, and
// nobody waits for a slow chat in order to sit down or to leave.
weft::reply<v1::ServerMessage> player::answer_ordered(v1::ClientMessage& message, weft::lane& chat) {
  using body = v1::ClientMessage;
  if (message.body_case() == body::kLogin) co_return co_await login(*message.mutable_login());
  if (id_ == 0) co_return weft::failed_precondition("log in first");
  v1::ServerMessage out;
  switch (message.body_case()) {
    case body::kList: {
      *out.mutable_list() = co_await weft::ok(services_.lobby.List(message.list()));
      break;
    }
    case body::kCreate: {
      message.mutable_create()->set_player(id_);
      *out.mutable_create() = co_await weft::ok(services_.lobby.Create(message.create()));
      table_ = out.create().table();
      std::ignore = chat.run(&player::change_room, this, table_);  // a table without chat is a table all the same
      break;
    }
    case body::kJoin: {
      message.mutable_join()->set_player(id_);
      *out.mutable_join() = co_await weft::ok(services_.lobby.Join(message.join()));
      table_ = out.join().table();
      std::ignore = chat.run(&player::change_room, this, table_);
      break;
    }
    case body::kLeave: {
      co_await weft::ok(chat.run(&player::change_room, this, std::uint64_t{0}));
      message.mutable_leave()->set_player(id_);
      table_ = 0;
      *out.mutable_leave() = co_await weft::ok(services_.lobby.Leave(message.leave()));
      break;
    }
    case body::kCard: {
      v1::PlayRequest request;
      request.set_table(table_);
      request.set_player(id_);
      *request.mutable_command() = std::move(*message.mutable_card());
      *out.mutable_card() = co_await weft::ok(services_.cards.Play(std::move(request), weft::within{2s}));
      break;
    }
    default: co_return weft::invalid_argument("the message is empty, or newer than this server");
  }
  co_return out;
}

weft::task<> player::change_room(std::uint64_t to) {
  co_await exit_room();
  room_ = to;
  if (room_ == 0) co_return;
  place_ = gate_.enter_room(room_, *link_);
  std::ignore = co_await make_sure_of_room();
}

// Both also for a player who is gone meanwhile: only who knows the outcome can exit again.
weft::task<weft::status> player::make_sure_of_room() {
  if (known_) co_return weft::status{};
  v1::EnterRequest request;
  request.set_room(room_);
  request.set_player(id_);
  request.set_name(name_);
  auto entering = services_.chat.Enter(std::move(request), weft::within{services_.chat_limit});
  const auto entered = co_await weft::shield(std::move(entering), services_.chat_limit);
  known_ = entered.ok();
  co_return entered.status();
}

weft::task<> player::exit_room() {
  if (room_ == 0) co_return;
  v1::ExitRequest request;
  request.set_room(room_);
  request.set_player(id_);
  auto leaving = services_.chat.Exit(std::move(request), weft::within{services_.chat_limit});
  std::ignore = co_await weft::shield(std::move(leaving), services_.chat_limit);
  gate_.leave_room(std::exchange(room_, 0), place_);
  known_ = false;
}

weft::reply<v1::ServerMessage> player::login(v1::LoginRequest& request) {
  if (id_ != 0) co_return weft::failed_precondition("you are logged in");
  v1::ServerMessage out;
  // Also for a player who is gone meanwhile: only who knows the outcome can log out again.
  *out.mutable_login() = co_await weft::ok(weft::shield(services_.lobby.Login(request), 2s));
  id_ = out.login().player();
  name_ = request.name();
  task_.annotate("player", name_);
  gate_.enter(id_, *this);
  co_return out;
}

weft::task<> player::farewell() {
  link_->close();
  if (id_ == 0) co_return;
  gate_.exit(id_);
  v1::LogoutRequest request;
  request.set_player(id_);
  request.set_cut_short(cut_short_);
  std::ignore = co_await services_.lobby.Logout(request);
  co_await exit_room();  // after that: chat may be slow, and others wait for the name
}

void player::send(std::uint64_t reply_to, weft::result<v1::ServerMessage> outcome) {
  v1::ServerMessage message;
  if (outcome.ok()) {
    message = std::move(*outcome);
  } else {
    message.set_code(static_cast<int>(outcome.code()));
    message.set_error(outcome.status().message());
  }
  message.set_reply_to(reply_to);
  std::ignore = link_->send(message.SerializeAsString());  // a player that is gone needs no reply
}

bool player::deliver(const std::shared_ptr<const std::string>& event) { return link_->send(event).ok(); }

}  // namespace lobby
