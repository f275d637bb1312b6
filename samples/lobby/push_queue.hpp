#pragma once
#include <cstdint>
#include <vector>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/service.hpp>

#include "lobby/v1/gate.weft.hpp"
#include "lobby/v1/link.pb.h"

namespace lobby {

/// A service's events on their way to the gate, in order: one push at a time, each encoded once for all its receivers.
/// Bounded; what does not fit is dropped and counted (a player who misses an event looks again).
class push_queue {
 public:
  /// What a gate that cannot be reached means.
  enum class unreachable : std::uint8_t { for_now, for_good };

  /// Begins as a task of `owner`, on whose strand all of this runs, and ends with it, or with a gate that is gone for good.
  push_queue(weft::service& owner, v1::Gate::client gate, unreachable means = unreachable::for_now);

  void push(const std::vector<std::uint64_t>& players, const v1::ServerMessage& event);
  /// To everybody at the gate who is in this chat room.
  void push_to_room(std::uint64_t room, const v1::ServerMessage& event);
  std::uint64_t dropped() const noexcept { return dropped_; }
  /// The gate is gone for good, and nothing is sent any more.
  bool over() const noexcept { return over_; }

 private:
  void put(v1::PushRequest request, const v1::ServerMessage& event);
  weft::task<> send_in_order();

  v1::Gate::client gate_;
  unreachable means_;
  bool over_ = false;
  weft::queue<v1::PushRequest> waiting_{4096};
  std::uint64_t dropped_ = 0;
};

}  // namespace lobby
