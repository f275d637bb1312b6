#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <weft/runtime/audience.hpp>
#include <weft/runtime/lane.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/task.hpp>

#include "lobby/v1/cards.weft.hpp"
#include "lobby/v1/chat.weft.hpp"
#include "lobby/v1/link.pb.h"
#include "lobby/v1/lobby.weft.hpp"
#include "lobby/v1/topology.pb.h"

namespace lobby {

class gate;

/// What a player's coroutine calls.
struct player_services {
  v1::Lobby::client lobby;
  v1::Cards::client cards;
  v1::Chat::client chat;
  v1::Handling handling = v1::LANES;
  weft::duration chat_limit = std::chrono::seconds{1};
};

/// One connected player: one coroutine that reads messages, and lanes in which they are handled. On the gate's strand.
class player {
 public:
  /// Cards commands that may wait behind the one that runs, and chat lines; a player who sends more is refused. So is one
  /// who changes tables so often that chat, which follows, is this far behind.
  static constexpr std::size_t card_limit = 16;
  static constexpr std::size_t chat_limit = 4;
  static constexpr std::size_t room_changes = 8;

  /// `task` is the player's own: its lines in dumps and logs say whose.
  player(gate& home, std::unique_ptr<weft::link> link, const player_services& services, weft::context& task);

  /// Until the player is gone or the server stops; then everything under way is cancelled.
  weft::task<> run(weft::scope& scope);
  /// Closes the link and logs out. When `run` and all that it started have ended.
  weft::task<> farewell();

  /// An event, encoded once for all its receivers. False when the player is too slow for it.
  bool deliver(const std::shared_ptr<const std::string>& event);

 private:
  void dispatch(v1::ClientMessage message, weft::lane& cards, weft::lane& chat);
  weft::task<> on_chat(v1::ClientMessage message);
  weft::task<> on_card(v1::ClientMessage message, weft::lane chat);
  weft::reply<v1::ServerMessage> answer_chat(v1::Say& say);
  weft::reply<v1::ServerMessage> answer_ordered(v1::ClientMessage& message, weft::lane& chat);
  weft::reply<v1::ServerMessage> login(v1::LoginRequest& request);
  weft::status start_line(v1::ClientMessage message, weft::lane& chat);
  weft::task<> change_room(std::uint64_t to);
  weft::task<> exit_room();
  weft::task<weft::status> make_sure_of_room();
  void send(std::uint64_t reply_to, weft::result<v1::ServerMessage> outcome);

  gate& gate_;
  std::unique_ptr<weft::link> link_;
  player_services services_;
  std::uint64_t id_ = 0;  // after login
  std::string name_;
  weft::context& task_;
  std::uint64_t table_ = 0;  // while at one
  bool cut_short_ = false;   // by the server, which stops

  // The chat lane's: it follows the table, in order with the lines.
  std::size_t lines_ = 0;   // that were accepted and not answered
  std::uint64_t room_ = 0;  // 0: none
  bool known_ = false;      // chat has said that the player is in the room
  weft::membership place_;  // in the room's audience, which the link belongs to
};

}  // namespace lobby
