// A player's program that has no gRPC: asks a gate of its own, in this process, over TCP.
#include <iostream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <weft/runtime/io.hpp>
#include <weft/runtime/link/gate_link.hpp>
#include <weft/runtime/link/gate_message.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

weft::task<bool> ask(weft::io* sockets, weft::scope& s) {
  auto& home = (co_await weft::current()).home();
  auto listener = weft::tcp_listen(*sockets, home, "127.0.0.1:0");
  if (!listener.ok()) co_return false;
  weft::gate_link player{*sockets, home, (*listener)->address()};
  bool right = false;
  co_await weft::with_scope(
      [](weft::tcp_listener* listener, weft::gate_link* player, bool* right, weft::scope& s) -> weft::task<> {
        std::ignore = s.start(player->run());
        auto asking = s.start(player->ask("\x22\x02hi"));
        auto gate = co_await listener->accept();
        auto command = co_await gate->receive();
        if (command) std::ignore = gate->send(*command);  // its number is where the answer's belongs
        const auto answer = co_await std::move(asking);
        *right = answer.ok() && weft::read_gate_head(*answer)->reply_to == 1;
        s.stop();
      },
      listener->get(), &player, &right);
  s.stop();
  co_return right;
}

}  // namespace

int main() {
  weft::runtime rt;
  weft::io sockets;
  const bool right = weft::sync_wait(rt, weft::with_scope(&ask, &sockets));
  (right ? std::cout : std::cerr) << "player: " << (right ? "answered" : "not answered") << '\n';
  return right ? 0 : 1;
}
