#include "lobby/chat_service.hpp"

#include <set>
#include <utility>
#include <weft/rpc/session.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace lobby {

chat_service::chat_service(weft::runtime& rt, std::optional<v1::Gate::client> gate, weft::duration delay, load lines)
    : service{rt, {.name = v1::Chat::full_name, .mailbox = 8'192}},
      delay_{delay},
      lines_{lines.running, lines.waiting} {
  if (gate) only_gate_.emplace(*this, std::move(*gate));
  tick_every(longest_silence / 4);
}

void chat_service::on_tick(weft::duration) {
  const auto now = strand().home().now();
  std::erase_if(rooms_, [now](const auto& entry) { return now - entry.second.last_used >= longest_silence; });
  for (auto& [id, room] : rooms_) {
    std::erase_if(room.people, [](const auto& entry) { return entry.second.gate->over(); });
  }
  std::erase_if(gates_, [](const auto& entry) { return entry.second.over(); });
}

const chat_service::person* chat_service::room::find(std::uint64_t player) const {
  const auto found = people.find(player);
  return found == people.end() || found->second.gate->over() ? nullptr : &found->second;
}

push_queue& chat_service::way_back(const weft::handled_call& call) {
  if (only_gate_) return *only_gate_;
  const auto lane = weft::caller_session(call);
  return gates_.try_emplace(lane.outlet().get(), *this, lane, push_queue::unreachable::for_good).first->second;
}

void chat_service::tell(std::uint64_t id, const room& r, const v1::ServerMessage& event) {
  std::set<push_queue*> gates;
  for (const auto& [player, p] : r.people) gates.insert(p.gate);
  for (auto* gate : gates) gate->push_to_room(id, event);
}

weft::reply<v1::EnterReply> chat_service::Enter(v1::EnterRequest& request) {
  const auto call = co_await weft::this_call();
  auto& room = rooms_[request.room()];
  room.people[request.player()] = {request.name(), &way_back(call)};
  room.last_used = strand().home().now();
  v1::EnterReply reply;
  for (const auto& line : room.history) *reply.add_history() = line;
  co_return reply;
}

weft::reply<v1::ExitReply> chat_service::Exit(v1::ExitRequest& request) {
  const auto room = rooms_.find(request.room());
  if (room != rooms_.end()) {
    room->second.people.erase(request.player());
    if (room->second.people.empty()) rooms_.erase(room);
  }
  co_return v1::ExitReply{};
}

weft::reply<v1::SayReply> chat_service::Say(v1::SayRequest& request) {
  if (request.text().empty() || request.text().size() > longest_line) {
    co_return weft::invalid_argument("a line has 1 to " + std::to_string(longest_line) + " bytes, this one " +
                                     std::to_string(request.text().size()));
  }
  if (delay_ > weft::duration::zero()) {
    const auto waited = co_await lines_.run(weft::sleep_for(delay_));
    if (!waited.ok()) co_return weft::status{waited.code(), "chat: " + waited.message()};
  }

  const auto found = rooms_.find(request.room());  // after the co_await: the room may have changed meanwhile
  const auto* who = found == rooms_.end() ? nullptr : found->second.find(request.player());
  if (who == nullptr) {
    co_return weft::not_found("player " + std::to_string(request.player()) + " is not in room " +
                              std::to_string(request.room()));
  }
  auto& room = found->second;
  v1::ServerMessage event;
  auto& line = *event.mutable_chat();
  line.set_room(request.room());
  line.set_line(++room.lines);
  room.last_used = strand().home().now();
  line.set_name(who->name);
  line.set_text(std::move(*request.mutable_text()));

  tell(request.room(), room, event);
  room.history.push_back(line);
  if (room.history.size() > history_lines) room.history.pop_front();

  v1::SayReply reply;
  reply.set_line(room.lines);
  co_return reply;
}

}  // namespace lobby
