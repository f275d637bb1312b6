#include <malloc.h>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/semaphore.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sync_wait.hpp>

// How cost grows with the number of players, and of services. Each player is a coroutine that takes messages from its
// queue and calls a service for each; 64 messages are out at any time, to players in an order that no cache foresees.
// So the work is the same at every size, and what grows is what is touched. One worker; in Go goroutines and channels,
// on one thread and as it comes.

namespace weft::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr int ahead = 64;
constexpr std::size_t few_players = 64;
constexpr std::size_t enough_to_weigh = 1'000;  // fewer are lost in what the heap does

std::size_t in_use() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

// Knuth's, as in peers/go/scale.go.
class walk {
 public:
  std::size_t next(std::size_t below) {
    state_ = state_ * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
    return static_cast<std::size_t>((state_ >> 33U) % below);
  }

 private:
  std::uint64_t state_ = 7;
};

struct message {
  std::size_t service;
  clock::time_point sent;
  semaphore::permit held;  // until it was answered
};

struct world {
  std::vector<std::unique_ptr<service>> services;
  std::vector<std::unique_ptr<queue<message>>> inboxes;
  semaphore room{ahead};
  latency_histogram latency;
  std::uint64_t calls = 0;
  std::string error;
};

task<> play(world* w, std::size_t number) {
  auto& inbox = *w->inboxes[number];
  while (auto m = co_await inbox.pop()) {
    auto add_one = [n = number] { return n + 1; };
    const auto reply = co_await w->services[m->service]->call(add_one);
    if (!reply.ok() || *reply != number + 1) w->error = "a wrong reply";
    w->latency.add(clock::now() - m->sent);
    ++w->calls;
  }
}

task<figures> run_world(world* w, std::size_t players, const trial_options* o, scope& s) {
  const auto before = in_use();
  for (std::size_t i = 0; i < players; ++i) {
    w->inboxes.push_back(std::make_unique<queue<message>>(ahead));
    std::ignore = s.start(&play, w, i);
  }
  co_await yield{};
  const auto bytes = static_cast<double>(in_use() - before) / static_cast<double>(players);
  walk to_player, to_service;
  const auto count_from = clock::now() + std::chrono::milliseconds{100};
  const auto until = count_from + std::chrono::round<clock::duration>(std::chrono::duration<double>{o->seconds});
  bool counting = false;
  auto began = clock::now();
  auto cpu = process_cpu_time();
  for (auto now = began; now < until; now = clock::now()) {
    if (!counting && now >= count_from) {
      counting = true;
      w->latency = {};
      w->calls = 0;
      began = now;
      cpu = process_cpu_time();
    }
    auto held = co_await w->room.acquire();
    message m{to_service.next(w->services.size()), clock::now(), std::move(*held)};
    std::ignore = w->inboxes[to_player.next(players)]->try_push(std::move(m));
  }
  const std::chrono::duration<double, std::nano> taken = clock::now() - began;
  const std::chrono::duration<double, std::nano> used = process_cpu_time() - cpu;
  const auto calls = static_cast<double>(w->calls);
  figures f{{"ns", taken.count() / calls}, {"cpu_ns", used.count() / calls}};
  if (players >= enough_to_weigh) f["bytes"] = bytes;
  add_latency(f, w->latency);
  for (auto& inbox : w->inboxes) inbox->close();
  co_return f;
}

figures grow(const trial_options& o, std::size_t players, std::size_t services) {
  runtime rt;
  world w;
  const auto before = in_use();
  for (std::size_t i = 0; i < services; ++i)
    w.services.push_back(std::make_unique<service>(rt, service_options{.name = "room"}));
  const auto bytes = static_cast<double>(in_use() - before) / static_cast<double>(services);
  auto f = sync_wait(rt, with_scope(&run_world, &w, players, &o));
  for (auto& one : w.services) one->stop_and_wait();
  if (!w.error.empty()) throw std::runtime_error{w.error};
  if (services >= enough_to_weigh) f["bytes"] = bytes;
  return f;
}

}  // namespace

int run_scale(std::span<char* const> arguments) {
  std::vector<trial> all;
  const auto go = [&](const char* name, const char* threads, std::size_t n, const char* of) {
    all.push_back({name,
                   true,
                   static_cast<int>(n),
                   {},
                   {peer_program("go-peer"), "scale", of, std::to_string(n), "--threads", threads}});
  };
  for (const std::size_t n : {1, 10, 100, 1'000, 10'000, 100'000}) {
    all.push_back({"weft, by players", false, static_cast<int>(n), [n](const auto& o) { return grow(o, n, 1); }});
    go("Go, by players, one thread", "1", n, "--players");
    go("Go, by players", "0", n, "--players");
  }
  for (const std::size_t n : {1, 10, 100, 1'000, 10'000}) {
    all.push_back(
        {"weft, by services", false, static_cast<int>(n), [n](const auto& o) { return grow(o, few_players, n); }});
    go("Go, by services, one thread", "1", n, "--services");
    go("Go, by services", "0", n, "--services");
  }
  return run_trials({.suite = "scale",
                     .question =
                         "A message to a player and its call of a service, 64 at a time, by the number of players (one "
                         "service) and of services (64 players): time, CPU, memory of each.",
                     .all = std::move(all),
                     .figure = "ns",
                     .rounds = 3,
                     .seconds = 0.5,
                     .quick_seconds = 0.15},
                    arguments);
}

}  // namespace weft::bench
