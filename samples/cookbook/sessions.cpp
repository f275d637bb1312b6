// Many calls over one stream: in order for each player, several times cheaper than unary calls, and back the other way.
#include <iostream>
#include <string>
#include <tuple>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/this_call.hpp>

#include "feed.weft.hpp"
#include "table.weft.hpp"

namespace {

using namespace cookbook::v1;

// [back]
// In the process of the rooms: tells the gate that calls what is posted, over the gate's own session.
struct room : Feed::service {
  using service::service;
  weft::reply<PostReply> Post(PostRequest& request) override {
    const auto call = co_await weft::this_call();
    const Chat::client gate{weft::caller_session(call)};
    SayRequest line;
    line.set_text(request.text());
    co_await weft::ok(gate.Say(line));
    posted.push_back(request.text());
    co_return PostReply{};
  }
  std::vector<std::string> posted;
};
// [back]

// In the gate's process: shows a line to the players who are here.
struct screen : Chat::service {
  using service::service;
  weft::reply<SayReply> Say(SayRequest& request) override {
    shown.push_back(request.text());
    co_return SayReply{};
  }
  std::vector<std::string> shown;
};

// [calls]
// Started one after the other, awaited together: the room hears them in this order.
weft::task<weft::status> post_all(Feed::client feed, std::vector<std::string> lines, weft::scope& scope) {
  std::vector<weft::started<weft::result<PostReply>>> posts;
  for (auto& line : lines) {
    PostRequest request;
    request.set_text(std::move(line));
    posts.push_back(scope.start(feed.Post(request)));
  }
  for (auto& post : posts) co_await weft::ok(co_await std::move(post));
  co_return weft::status{};
}
// [calls]

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    const bool help = std::string{argv[1]} == "--help";
    (help ? std::cout : std::cerr) << "usage: sessions\n";
    return help ? 0 : 2;
  }
  weft::rpc_runtime rooms;  // in real life another process
  room one{rooms};
  weft::server server{rooms};
  server.add(one);
  const auto started = server.start();
  if (!started.ok()) {
    std::cerr << "sessions: " << started << "\n";
    return 1;
  }

  weft::rpc_runtime gate;
  screen players{gate};
  const std::vector<std::string> lines{"hello", "is anybody there?", "good bye"};
  weft::status posted;
  {
    // [session]
    weft::peer to{gate, server.address()};
    auto session = to.session({.offers = {&players}});
    const Feed::client feed_of_anna{session.ordered("anna")};  // calls as any client does
    posted = weft::sync_wait(gate, weft::with_scope(&post_all, feed_of_anna, lines));
    // [session]
    std::cout << "the session is " << weft::to_string(session.state()) << "; posted: " << posted << "\n";
  }
  server.stop();
  one.stop_and_wait();
  players.stop_and_wait();
  for (const auto& line : players.shown) std::cout << "  shown: " << line << "\n";
  if (posted.ok() && players.shown == lines && one.posted == lines) return 0;
  std::cerr << "sessions: not what should have happened\n";
  return 1;
}
