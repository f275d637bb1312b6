#include "lobby/push_queue.hpp"

#include <utility>
#include <weft/runtime/sleep.hpp>

namespace lobby {

push_queue::push_queue(weft::service& owner, v1::Gate::client gate, unreachable means)
    : gate_{std::move(gate)}, means_{means} {
  owner.start("events on their way to the gate", &push_queue::send_in_order, this);
}

void push_queue::push(const std::vector<std::uint64_t>& players, const v1::ServerMessage& event) {
  v1::PushRequest request;
  request.mutable_players()->Add(players.begin(), players.end());
  put(std::move(request), event);
}

void push_queue::push_to_room(std::uint64_t room, const v1::ServerMessage& event) {
  v1::PushRequest request;
  request.set_room(room);
  put(std::move(request), event);
}

void push_queue::put(v1::PushRequest request, const v1::ServerMessage& event) {
  request.set_message(event.SerializeAsString());
  if (over_ || !waiting_.try_push(std::move(request)).ok()) ++dropped_;
}

weft::task<> push_queue::send_in_order() {
  while (auto request = co_await waiting_.pop()) {
    const auto reply = co_await gate_.Push(std::move(*request));
    if (!reply.ok()) ++dropped_;
    if (means_ == unreachable::for_good && reply.code() == weft::code::unavailable) break;
  }
  over_ = true;
}

}  // namespace lobby
