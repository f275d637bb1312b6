// The player loop: one coroutine reads a player's connection, lanes handle what it reads. Cards keep their order, a slow chat
// delays none of them, and whoever leaves, or is made to, has nothing in flight and is saved.
#include <iostream>
#include <string>
#include <tuple>
#include <utility>
#include <weft/runtime/lane.hpp>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/test/world.hpp>

namespace {

using namespace std::chrono_literals;
using weft::test::world;  // virtual time: the output is always the same. A server has a weft::runtime

/// Stands for another service, which takes its time.
struct backend : weft::service {
  backend(weft::runtime& rt, const char* name, weft::duration delay) : service{rt, {.name = name}}, delay{delay} {}
  weft::task<weft::status> handle() { co_return co_await weft::sleep_for(delay); }
  const weft::duration delay;
};

weft::task<weft::status> ask(backend* to) {
  auto handle = [to] { return to->handle(); };
  co_return (co_await to->call(handle)).status();
}

struct hall {
  world w;
  weft::time_point opened = w.now();
  backend cards{w, "cards", 20ms}, chat{w, "chat", 200ms}, store{w, "store", 50ms};
  std::string diary;

  void note(const std::string& text) { diary += std::to_string((w.now() - opened) / 1ms) + " ms: " + text + "\n"; }
};

class player {
 public:
  player(hall& h, std::string name, weft::link& link) : hall_{h}, name_{std::move(name)}, link_{link} {}

  weft::task<> live() {
    co_await weft::with_scope(&player::play, this);
    // All that it started has ended, so the score is final. The shield: who was stopped is saved too, in 5 s at most.
    const auto saved = co_await weft::shield(ask(&hall_.store), 5s);
    hall_.note(name_ + " saved with " + std::to_string(played_) + " cards: " + saved.to_string());
  }

 private:
  // [loop]
  weft::task<> play(weft::scope& scope) {
    weft::lane cards{scope, {.limit = 16, .when_full = weft::refuse, .name = "cards lane"}};
    weft::lane chat{scope, {.limit = 2, .when_full = weft::drop_oldest, .name = "chat lane"}};
    while (auto message = co_await link_.receive()) {
      if (message->starts_with("chat")) {
        std::ignore = chat.run(&player::on_chat, this, std::move(*message));
      } else {
        auto accepted = cards.run(&player::on_card, this, std::move(*message));
        if (!accepted.ok()) std::ignore = link_.send(accepted.to_string());
      }
    }
    // BAD: saving here: a card may still be in progress, and without a shield who is stopped saves nothing.
    hall_.note(name_ + " goes; chat lines dropped: " + std::to_string(chat.dropped()));
    scope.stop();  // what is in flight is cancelled
  }
  // [loop]

  weft::task<> on_card(std::string message) {
    const auto done = co_await ask(&hall_.cards);
    if (done.ok()) ++played_;
    hall_.note(name_ + " " + message + " " + std::string{to_string(done.code())});
  }
  weft::task<> on_chat(std::string message) {
    const auto done = co_await ask(&hall_.chat);
    hall_.note(name_ + " " + message + " " + std::string{to_string(done.code())});
  }

  hall& hall_;
  const std::string name_;
  weft::link& link_;
  int played_ = 0;
};

weft::task<> visit(hall* h, std::string name, bool hangs_up, weft::scope& scope) {
  auto wire = weft::memory_links(h->w.control(), h->w.control());  // TCP: runtime/net/tcp.hpp
  player p{*h, name, *wire.first};
  auto living = scope.start(p.live(), "player");
  for (const char* message : {"card 1", "chat 1", "card 2", "chat 2", "chat 3", "chat 4", "card 3"}) {
    std::ignore = wire.second->send(message);
  }
  std::ignore = co_await weft::sleep_for(500ms);
  if (hangs_up) wire.second->close();
  if (!hangs_up) living.stop();  // as a server does that shuts down
  co_await std::move(living);
}

}  // namespace

int main() {
  hall h;
  h.w.run(weft::with_scope(&visit, &h, std::string{"ann"}, true));
  h.w.run(weft::with_scope(&visit, &h, std::string{"bob"}, false));
  for (backend* b : {&h.cards, &h.chat, &h.store}) b->stop_and_wait();
  std::cout << h.diary;
  bool right = true;
  for (const char* line :
       {"\n40 ms: ann card 2 OK\n60 ms: ann card 3 OK\n200 ms: ann chat 1 OK\n400 ms: ann chat 3 OK\n",
        "\n500 ms: ann chat 4 CANCELLED\n550 ms: ann saved with 3 cards: OK\n", "\n1050 ms: bob chat 4 CANCELLED\n",
        "\n1100 ms: bob saved with 3 cards: OK\n"}) {
    right = right && h.diary.find(line) != std::string::npos;
  }
  if (!right) std::cerr << "player: not what should have happened\n";
  return right ? 0 : 1;
}
