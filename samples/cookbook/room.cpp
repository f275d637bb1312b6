// A room: what one says everybody gets, turns pass on when time is up, and who comes back soon finds the seat still there.
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <tuple>
#include <weft/runtime/audience.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

using namespace std::chrono_literals;

/// What a player's connection would be: a bounded outbox. A link (runtime/net/link.hpp) is a receiver as it is.
class screen {
 public:
  weft::status send(weft::shared_bytes event) { return events_.try_push(std::move(event)); }
  std::string take() {
    const auto event = events_.try_pop();
    return event ? **event : "";
  }

 private:
  weft::queue<weft::shared_bytes> events_{16};
};

class room : public weft::service {
 public:
  static constexpr auto turn_limit = 40ms;
  static constexpr auto grace = 60ms;

  explicit room(weft::runtime& rt) : service{rt, {.name = "room"}} { start(&room::pass_turns, this); }

  /// Sits down, or comes back to the seat.
  void enter(const std::string& name, screen& s) {
    auto& seat = seats_[name];
    ++seat.visits;  // whoever waits to take the seat away sees that its player was here
    seat.place = everybody_.join(s);
    everybody_.send(name + (seat.visits == 1 ? " sits down" : " is back"));
  }
  /// The connection is gone; the seat is kept for a while.
  void drop(const std::string& name) {
    auto& seat = seats_[name];
    seat.place.leave();
    start(&room::forget, this, name, seat.visits);
  }
  void say(const std::string& name, const std::string& text) { everybody_.send(name + ": " + text); }
  std::size_t seats() const { return seats_.size(); }

 private:
  struct seat {
    weft::membership place;
    std::uint64_t visits = 0;
  };

  weft::task<> forget(std::string name, std::uint64_t visits) {
    if (!(co_await weft::sleep_for(grace)).ok()) co_return;  // the room closes
    const auto found = seats_.find(name);
    if (found == seats_.end() || found->second.visits != visits) co_return;  // it came back meanwhile
    seats_.erase(found);
    everybody_.send(name + " has left");
  }

  weft::task<> pass_turns() {
    for (std::size_t turn = 0; (co_await weft::sleep_for(turn_limit)).ok(); ++turn) {
      if (seats_.empty()) continue;
      const auto next = std::next(seats_.begin(), static_cast<std::ptrdiff_t>(turn % seats_.size()));
      everybody_.send("time is up, it is " + next->first + "'s turn");
    }
  }

  weft::audience everybody_;
  std::map<std::string, seat> seats_;
};

// Everything from outside goes through the room's strand.
weft::task<bool> evening(room* r, screen* ann, screen* bob) {
  std::ignore = co_await r->call([r, ann] { r->enter("ann", *ann); });
  std::ignore = co_await r->call([r, bob] { r->enter("bob", *bob); });
  std::ignore = co_await r->call([r] { r->say("bob", "hello"); });
  std::ignore = co_await r->call([r] { r->drop("bob"); });
  std::ignore = co_await weft::sleep_for(room::grace / 3);
  std::ignore = co_await r->call([r, bob] { r->enter("bob", *bob); });  // in time
  std::ignore = co_await r->call([r] { r->drop("bob"); });
  std::ignore = co_await weft::sleep_for(room::grace * 2);  // not this time
  const auto seats = co_await r->call([r] { return r->seats(); });

  std::string seen;
  for (auto event = ann->take(); !event.empty(); event = ann->take()) seen += event + "\n";
  std::cout << seen;
  const bool right = seen.find("bob: hello\n") != std::string::npos &&
                     seen.find("bob is back\n") != std::string::npos &&
                     seen.find("bob has left\n") != std::string::npos && seen.find("ann's turn\n") != std::string::npos;
  co_return right && *seats == 1;
}

}  // namespace

int main() {
  weft::runtime rt;
  screen ann, bob;
  room r{rt};
  const bool right = weft::sync_wait(rt, evening(&r, &ann, &bob));
  r.stop_and_wait();
  if (!right) std::cerr << "room: not what should have happened\n";
  return right ? 0 : 1;
}
