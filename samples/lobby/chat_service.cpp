#include "lobby/chat_service.hpp"

#include <utility>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace lobby {

chat_service::chat_service(weft::runtime& rt, v1::Gate::client gate, weft::duration delay, load lines)
    : service{rt, {.name = v1::Chat::full_name, .mailbox = 8'192}},
      delay_{delay},
      lines_{lines.running, lines.waiting},
      events_{*this, gate} {
  tick_every(longest_silence / 4);
}

void chat_service::on_tick(weft::duration) {
  const auto now = strand().home().now();
  std::erase_if(rooms_, [now](const auto& entry) { return now - entry.second.last_used >= longest_silence; });
}

weft::reply<v1::EnterReply> chat_service::Enter(v1::EnterRequest& request) {
  auto& room = rooms_[request.room()];
  room.people[request.player()] = request.name();
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
  if (found == rooms_.end() || !found->second.people.contains(request.player())) {
    co_return weft::not_found("player " + std::to_string(request.player()) + " is not in room " +
                              std::to_string(request.room()));
  }
  auto& room = found->second;
  v1::ServerMessage event;
  auto& line = *event.mutable_chat();
  line.set_room(request.room());
  line.set_line(++room.lines);
  room.last_used = strand().home().now();
  line.set_name(room.people[request.player()]);
  line.set_text(std::move(*request.mutable_text()));

  events_.push_to_room(request.room(), event);
  room.history.push_back(line);
  if (room.history.size() > history_lines) room.history.pop_front();

  v1::SayReply reply;
  reply.set_line(room.lines);
  co_return reply;
}

}  // namespace lobby
