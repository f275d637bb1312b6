#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/limit.hpp>
#include <weft/runtime/this_call.hpp>

#include "lobby/load.hpp"
#include "lobby/push_queue.hpp"
#include "lobby/v1/chat.weft.hpp"

namespace lobby {

/// Rooms with history. A line goes once to each gate that has somebody in the room, over the session by which that gate calls,
/// or as `gate` says; the room's audience is there: connections, each with a bound of its own. So nobody's slowness delays the
/// room.
class chat_service final : public v1::Chat::service {
 public:
  static constexpr std::size_t history_lines = 50;
  static constexpr std::size_t longest_line = 500;
  /// A room in which nobody has entered or said anything for so long is forgotten: perhaps those in it have gone while chat
  /// could not be told. Whoever is there all the same enters with the next line; so does who came by a session that broke.
  static constexpr weft::duration longest_silence = std::chrono::hours{1};

  /// `delay`: how long Say takes to answer, to see what a slow chat does to the rest. `lines` limits those that are being
  /// said; coming and going is not limited by it. Without a `gate` each is called back over its own session.
  chat_service(weft::runtime& rt, std::optional<v1::Gate::client> gate, weft::duration delay, load lines = {});

  weft::reply<v1::EnterReply> Enter(v1::EnterRequest& request) override;
  weft::reply<v1::ExitReply> Exit(v1::ExitRequest& request) override;
  weft::reply<v1::SayReply> Say(v1::SayRequest& request) override;

 protected:
  void on_tick(weft::duration) override;

 private:
  struct person {
    std::string name;
    push_queue* gate;  // who is behind one that is gone is not there any more
  };
  struct room {
    const person* find(std::uint64_t player) const;

    std::map<std::uint64_t, person> people;
    std::deque<v1::ChatEvent> history;
    std::uint64_t lines = 0;
    weft::time_point last_used{};
  };

  push_queue& way_back(const weft::handled_call& call);
  static void tell(std::uint64_t id, const room& r, const v1::ServerMessage& event);

  weft::duration delay_;
  weft::limit lines_;
  std::map<std::uint64_t, room> rooms_;
  std::optional<push_queue> only_gate_;
  std::map<const void*, push_queue> gates_;  // by their sessions
};

}  // namespace lobby
