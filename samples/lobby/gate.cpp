#include "lobby/gate.hpp"

#include <utility>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace lobby {

using namespace std::chrono_literals;

void gate::welcome(std::unique_ptr<weft::link> link) { start("player", &gate::serve, this, std::move(link)); }

weft::task<> gate::serve(std::unique_ptr<weft::link> link) {
  auto& task = co_await weft::current();
  ++connected_;
  player who{*this, std::move(link), *services_, task};
  co_await weft::with_scope(&player::run, &who);
  co_await weft::shield(who.farewell(), 2s);
  --connected_;
}

// One copy of the bytes for everybody; nobody's slowness delays the rest, since a link takes it or says no.
weft::reply<v1::PushReply> gate::Push(v1::PushRequest& request) {
  const auto event = std::make_shared<const std::string>(std::move(*request.mutable_message()));
  v1::PushReply reply;
  if (const auto room = rooms_.find(request.room()); room != rooms_.end()) {
    const auto missed = room->second.size() - room->second.send(event);
    reply.set_missed(static_cast<std::uint32_t>(missed));
  }
  for (const auto id : request.players()) {
    const auto found = players_.find(id);
    if (found == players_.end() || !found->second->deliver(event)) reply.set_missed(reply.missed() + 1);
  }
  co_return reply;
}

void gate::leave_room(std::uint64_t room, weft::membership& place) {
  place.leave();
  const auto left = rooms_.find(room);
  if (left != rooms_.end() && left->second.size() == 0) rooms_.erase(left);
}

}  // namespace lobby
