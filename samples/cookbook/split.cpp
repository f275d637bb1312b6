// One process, or three: the same services, clients and outcome. Where a service is, is a matter of configuration.
#include <csignal>
#include <iostream>
#include <optional>
#include <string>
#include <weft/rpc/drain.hpp>
#include <weft/rpc/health.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "lobby/child_process.hpp"
#include "table.weft.hpp"

namespace {

using namespace std::chrono_literals;
using namespace cookbook::v1;

struct wallet : Wallet::service {
  using service::service;
  weft::reply<ReserveReply> Reserve(ReserveRequest& request) override {
    if (request.coins() > left) co_return weft::failed_precondition("only " + std::to_string(left) + " coins are left");
    left -= request.coins();
    co_return ReserveReply{};
  }
  int left = 100;
};

struct chat : Chat::service {
  using service::service;
  weft::reply<SayReply> Say(SayRequest& request) override {
    SayReply reply;
    reply.set_line(std::to_string(++lines) + ": " + request.text());
    co_return reply;
  }
  int lines = 0;
};

/// Addresses; what has none is in this process. From a file: see samples/lobby.
struct config {
  std::string wallet, chat;
};

/// A service, or the way to it.
template <class Contract, class Service>
struct place {
  place(weft::rpc_runtime& rt, const std::string& address) {
    if (address.empty()) here.emplace(rt);
    else there.emplace(rt, address);
    std::cout << Contract::full_name << (here ? " in this process\n" : " over gRPC\n");
  }
  ~place() {
    if (here) here->stop_and_wait();
  }
  typename Contract::client client() { return here ? typename Contract::client{*here} : *there; }

  std::optional<Service> here;
  std::optional<weft::peer> there;
};

weft::task<std::string> bets(Wallet::client wallet, Chat::client chat) {
  std::string seen;
  for (const int coins : {30, 60, 20}) {
    ReserveRequest bet;
    bet.set_coins(coins);
    const auto held = co_await wallet.Reserve(bet);
    SayRequest say;
    say.set_text("I bet " + std::to_string(coins) + ": " + held.status().to_string());
    const auto said = co_await chat.Say(say);
    seen += (said.ok() ? said->line() : said.status().to_string()) + "\n";
  }
  co_return seen;
}

std::string play(const config& where) {
  weft::rpc_runtime rt;
  place<Wallet, wallet> wallets{rt, where.wallet};
  place<Chat, chat> chats{rt, where.chat};
  auto seen = weft::sync_wait(rt, bets(wallets.client(), chats.client()));
  std::cout << seen;
  return seen;
}

/// The other roles: serves one service until it is told to end.
template <class Service>
int serve() {
  weft::rpc_runtime rt;
  weft::io io;
  weft::signals asked{io, {SIGINT, SIGTERM}};
  Service here{rt};
  weft::health health{rt};
  weft::server server{rt};  // 127.0.0.1, a free port
  server.add(here);
  server.add(health);
  const auto started = server.start();
  (started.ok() ? std::cout << server.address() : std::cerr << started) << '\n' << std::flush;
  if (started.ok()) {
    weft::sync_wait(rt, asked.next());
    weft::drain(server, health, asked, 1s);  // a second signal does not wait for that long
  }
  health.stop_and_wait();
  here.stop_and_wait();
  return started.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = argc > 1 ? argv[1] : "";
  if (role == "wallet") return serve<wallet>();
  if (role == "chat") return serve<chat>();
  lobby::child_processes others;  // first, while this one has no other threads
  const auto& wallets = others.start("wallet", {"/proc/self/exe", "wallet"});
  const auto& chats = others.start("chat", {"/proc/self/exe", "chat"});
  if (!others.wait(10s, [&] { return !wallets.output().empty() && !chats.output().empty(); })) {
    std::cerr << wallets.report() << "\n" << chats.report() << "\n";
    return 1;
  }
  const auto one = play({});
  const auto three = play({wallets.output()[0], chats.output()[0]});
  const bool right = one == three && others.stop(10s).empty() && wallets.succeeded() && chats.succeeded();
  if (!right) std::cerr << "split: not what should have happened\n";
  return right ? 0 : 1;
}
