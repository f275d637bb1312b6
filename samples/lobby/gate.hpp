#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <weft/runtime/audience.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/scope.hpp>

#include "lobby/player.hpp"
#include "lobby/v1/gate.weft.hpp"

namespace lobby {

/// The players who are connected here, each a coroutine on this service's strand, and the way back to them: by player, or by
/// chat room, each of which has its audience here.
class gate final : public v1::Gate::service {
 public:
  /// What may wait for a player's connection. Answers go the same way as events, and none of them may be missing: so a
  /// player who is too slow is let go.
  static constexpr weft::link_options connection{.outbound_messages = 1'024, .slow = weft::slow_policy::disconnect};

  explicit gate(weft::runtime& rt) : service{rt, {.name = v1::Gate::full_name, .mailbox = 8'192}} {}

  /// Before the first player comes.
  void use(const player_services& services) { services_.emplace(services); }

  /// Runs a player on this connection until it is gone. On the strand.
  void welcome(std::unique_ptr<weft::link> link);

  weft::reply<v1::PushReply> Push(v1::PushRequest& request) override;

  void enter(std::uint64_t id, player& who) { players_[id] = &who; }
  void exit(std::uint64_t id) { players_.erase(id); }
  /// From now on this connection gets what is said in the room.
  weft::membership enter_room(std::uint64_t room, weft::link& by) { return rooms_[room].join(by); }
  void leave_room(std::uint64_t room, weft::membership& place);
  std::size_t connected() const noexcept { return connected_; }

 private:
  weft::task<> serve(std::unique_ptr<weft::link> link);

  std::optional<player_services> services_;
  std::map<std::uint64_t, player*> players_;  // logged in
  std::map<std::uint64_t, weft::audience> rooms_;
  std::size_t connected_ = 0;
};

}  // namespace lobby
