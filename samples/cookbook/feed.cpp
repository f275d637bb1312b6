// A subscription: listeners get what is posted, as a stream. A slow one loses lines instead of delaying the room, and one
// that goes away is forgotten. The same within a process and over gRPC.
#include <algorithm>
#include <iostream>
#include <string>
#include <tuple>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "feed.weft.hpp"

namespace {

using namespace std::chrono_literals;
using namespace cookbook::v1;

struct room : Feed::service {
  using service::service;

  weft::task<weft::status> Listen(ListenRequest&, weft::writer<Line>& out) override {
    seat mine{*this};  // until the handler ends, whatever way
    while (auto line = co_await mine.lines.pop()) {
      if (auto s = co_await out.write(std::move(*line)); !s.ok()) co_return s;
    }
    co_return weft::status{};
  }

  weft::reply<PostReply> Post(PostRequest& request) override {
    Line line;
    line.set_text(request.text());
    for (auto* s : seats) std::ignore = s->lines.try_push(line);  // full: this listener loses the line
    PostReply reply;
    reply.set_listeners(static_cast<int>(seats.size()));
    co_return reply;
  }

 private:
  struct seat {
    explicit seat(room& r) : at{r} { at.seats.push_back(this); }
    ~seat() { std::erase(at.seats, this); }
    seat(const seat&) = delete;
    room& at;
    weft::queue<Line> lines{64};
  };
  std::vector<seat*> seats;
};

/// Listens to three lines, then leaves; what it heard.
weft::task<std::string> listen(Feed::client feed) {
  std::string heard;
  const ListenRequest everything;
  auto lines = feed.Listen(everything, weft::within{weft::duration::max()});  // a subscription has no time limit
  for (int i = 0; i < 3; ++i) {
    auto line = co_await lines.read();
    if (!line) co_return "the feed ended: " + (co_await lines.finish()).to_string();
    heard += line->text() + " ";
  }
  co_return heard;  // dropping `lines` cancels the call
}

weft::task<int> post(Feed::client feed, std::string text) {
  PostRequest request;
  request.set_text(std::move(text));
  const auto reply = co_await feed.Post(request);
  co_return reply.ok() ? reply->listeners() : -1;
}

weft::task<bool> talk(Feed::client feed, weft::scope& s) {
  auto first = s.start(listen(feed));
  auto second = s.start(listen(feed));
  while (co_await post(feed, "anybody?") < 2) std::ignore = co_await weft::sleep_for(1ms);
  for (const char* text : {"one", "two"}) std::ignore = co_await post(feed, text);
  // The first to come may have heard the question more than once.
  const auto a = co_await std::move(first), b = co_await std::move(second);
  std::cout << "  heard: " << a << "\n  heard: " << b << "\n";
  while (co_await post(feed, "still there?") > 0) std::ignore = co_await weft::sleep_for(1ms);
  co_return a.starts_with("anybody? ") && b.starts_with("anybody? ");
}

}  // namespace

int main() {
  weft::rpc_runtime rt;
  room here{rt};
  weft::server server{rt};
  server.add(here);
  if (auto s = server.start(); !s.ok()) {
    std::cerr << "feed: " << s << "\n";
    return 1;
  }
  bool all_heard = false;
  {
    weft::peer there{rt, server.address()};
    std::cout << "in this process\n";
    all_heard = weft::sync_wait(rt, weft::with_scope(&talk, Feed::client{here}));
    std::cout << "over gRPC\n";
    all_heard &= weft::sync_wait(rt, weft::with_scope(&talk, Feed::client{there}));
  }
  server.stop(1s);
  here.stop_and_wait();
  return all_heard ? 0 : 1;
}
