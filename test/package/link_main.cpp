// A player's program that has no gRPC: asks a gate of its own, in this process, over TCP.
#include <iostream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <weft/link/gate_link.hpp>
#include <weft/link/gate_message.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

weft::task<bool> ask(weft::tcp_listener* listener, weft::gate_link* player, weft::scope& s) {
  std::ignore = s.start(player->run());
  auto asking = s.start(player->ask("\x22\x02hi"));
  auto gate = co_await listener->accept();
  auto command = co_await gate->receive();
  if (!command) co_return false;
  std::ignore = gate->send(*command);  // its number is where the answer's belongs
  const auto answer = co_await std::move(asking);
  s.stop();
  co_return answer.ok() && weft::read_gate_head(*answer)->reply_to == 1;
}

}  // namespace

int main() {
  weft::runtime rt;
  weft::io sockets;
  auto listener = weft::tcp_listen(sockets, rt.control(), "127.0.0.1:0");
  if (!listener.ok()) {
    std::cerr << listener.status() << '\n';
    return 1;
  }
  weft::gate_link player{sockets, rt.control(), (*listener)->address()};
  const bool right = weft::sync_wait(rt, weft::with_scope(&ask, listener->get(), &player));
  (right ? std::cout : std::cerr) << "player: " << (right ? "answered" : "not answered") << '\n';
  return right ? 0 : 1;
}
