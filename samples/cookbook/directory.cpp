// Calls by name: which method is called, and with what, is known when the program runs. And what a server gives to those who
// run it: whether it is well (health), and what can be called (reflection): `weft list ADDRESS`.
#include <weft/rpc/directory.hpp>
#include <array>
#include <iostream>
#include <string>
#include <weft/rpc/health.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/reflection.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sync_wait.hpp>

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

/// What a game master may type.
struct command {
  const char* method;
  const char* json;
  const char* answer;
};
constexpr std::array commands{
    command{"wallet.Reserve", R"({"player": "ann", "coins": 70})", "{}"},
    command{"cookbook.v1.Wallet/Reserve", R"({"coins": 70})", "FAILED_PRECONDITION: only 30 coins are left"},
    command{"chat.Say", R"({"text": "hi"})", R"({"line":"1: hi"})"},
    command{"chat.Shout", "{}", "UNIMPLEMENTED: cookbook.v1.Chat has no method 'Shout'; it has Say"},
    command{"bank.Reserve", "{}",
            "NOT_FOUND: 'bank.Reserve': no service or alias 'bank'; there are cookbook.v1.Chat, cookbook.v1.Wallet, "
            "chat (cookbook.v1.Chat), wallet (cookbook.v1.Wallet)"},
};

weft::task<std::string> answer(const weft::directory* rpc, command typed) {
  auto reply = co_await rpc->call_json(typed.method, typed.json, weft::within{2s});
  co_return reply.ok() ? *reply : reply.status().to_string();
}

/// With messages where they are known.
weft::task<weft::result<std::string>> greet(const weft::directory* rpc) {
  SayRequest request;
  request.set_text("hello");
  auto reply = co_await weft::ok(rpc->call<SayReply>("chat.Say", request));
  co_return reply.line();
}

}  // namespace

int main() {
  weft::directory rpc;  // before the peers it is given
  weft::rpc_runtime rt;
  wallet coins{rt};
  chat lines{rt};
  weft::health health{rt};
  weft::reflection reflection{rt};
  reflection.offers(lines);
  reflection.offers(health);

  weft::server server{rt};
  server.add(lines);
  server.add(health);
  server.add(reflection);
  if (auto s = server.start(); !s.ok()) {
    std::cerr << "directory: " << s << "\n";
    return 1;
  }
  health.set(Chat::full_name, true);
  weft::peer there{rt, server.address()};

  rpc.add("cookbook.v1.Wallet", coins);  // in this process
  rpc.add("cookbook.v1.Chat", there);    // over gRPC
  rpc.alias("wallet", "cookbook.v1.Wallet");
  rpc.alias("chat", "cookbook.v1.Chat");

  bool right = true;
  for (const auto& typed : commands) {
    const auto got = weft::sync_wait(rt, answer(&rpc, typed));
    std::cout << typed.method << " " << typed.json << "\n  " << got << "\n";
    right &= got == typed.answer;
  }
  const auto greeted = weft::sync_wait(rt, greet(&rpc));
  right &= greeted.ok() && *greeted == "2: hello";

  health.set_all_not_serving();  // whoever watches sends no more
  server.stop(1s);
  reflection.stop_and_wait();
  health.stop_and_wait();
  lines.stop_and_wait();
  coins.stop_and_wait();
  if (!right) std::cerr << "directory: not what should have happened\n";
  return right ? 0 : 1;
}
