// A deploy with rooms in progress: rooms by key, made when somebody enters, saved when nobody is left, and none lost when the
// program has to go.
#include <iostream>
#include <map>
#include <memory>
#include <tuple>
#include <weft/runtime/keyed.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

using namespace std::chrono_literals;

using saved_scores = std::map<int, int>;  // stands for a database; see database.cpp

/// A game that lasts three rounds once it has begun.
class room : public weft::service {
 public:
  room(weft::runtime& rt, saved_scores& saved, int id)
      : service{rt, {.name = "room", .reentrancy = weft::reentrancy::exclusive}}, saved_{saved}, id_{id} {}

  void begin() {
    if (left_ != 0) return;
    left_ = 3;
    start(&room::play, this);
  }

 private:
  // What retiring asks of a room: is it over, and what has to outlive it.
  bool played_out() const override { return left_ == 0; }
  weft::task<> snapshot() override {
    saved_[id_] = score_;
    co_return;
  }

  weft::task<> play() {
    while (left_ > 0 && (co_await weft::sleep_for(10ms)).ok()) {
      ++score_;
      --left_;
    }
  }

  saved_scores& saved_;
  int id_;
  int left_ = 0;
  int score_ = 0;
};

using rooms = weft::keyed<int, room>;

weft::reply<std::unique_ptr<room>> open_room(weft::runtime* rt, saved_scores* saved, int id) {
  co_return std::make_unique<room>(*rt, *saved, id);  // what was saved of it could be loaded here
}

weft::task<> play_somewhere(rooms* all, int id) {
  auto found = co_await all->activate(id);
  if (!found.ok()) {
    std::cout << "room " << id << ": " << found.status() << "\n";
    co_return;
  }
  const auto& here = *found;
  std::ignore = co_await here->call([r = &*here] { r->begin(); });
}

weft::task<> until_the_deploy(rooms* all) {
  for (int id = 1; id <= 5; ++id) co_await play_somewhere(all, id);
  std::cout << "no room of a client's making: " << (all->find(12'345) ? "made" : "none") << "\n";
  // SIGTERM (see runtime/signals.hpp and samples/lobby): nothing new, what has begun is played to its end and saved.
  co_await all->stop();
  co_await play_somewhere(all, 6);
}

}  // namespace

int main() {
  weft::runtime rt;
  saved_scores saved;
  rooms all{rt,
            [&](int id) { return open_room(&rt, &saved, id); },
            {.name = "rooms", .limit = 1'000, .idle_after = 5s, .farewell = 30s}};
  weft::sync_wait(rt, until_the_deploy(&all));
  bool right = saved.size() == 5;
  for (const auto& [id, score] : saved) right = right && score == 3;
  std::cout << saved.size() << " rooms were played to their end and saved\n";
  if (!right) std::cerr << "deploy: a room was lost\n";
  return right ? 0 : 1;
}
