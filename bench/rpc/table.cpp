#include <weft/bench/rpc/table.hpp>

#include <algorithm>
#include <atomic>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::CountRequest;
using ::bench::v1::Counts;
using ::bench::v1::Move;
using ::bench::v1::Moved;
using ::bench::v1::Table;

// However the handler ends.
struct in_progress {
  explicit in_progress(std::uint64_t& n) noexcept : now{n} { ++now; }
  in_progress(const in_progress&) = delete;
  in_progress& operator=(const in_progress&) = delete;
  ~in_progress() { --now; }
  std::uint64_t& now;
};

}  // namespace

table::table(runtime& rt, const table_setup& setup)
    : service{rt,
              {.name = Table::full_name, .reentrancy = setup.reentrancy, .mailbox = 100'000, .running = setup.running}},
      setup_{setup} {}

weft::reply<Moved> table::Play(Move& move) {
  auto moved = co_await ok(take(move, time_of_play()));
  took_effect(move);
  co_return moved;
}
weft::reply<Moved> table::Look(Move& move) { return take(move, time_of_play()); }
weft::reply<Moved> table::Say(Move& move) { return take(move, setup_.say); }
weft::reply<Counts> table::Count(CountRequest&) { co_return counts_; }

weft::reply<Moved> table::take(Move& move, duration time) {
  const in_progress one{now_};
  counts_.set_most(std::max<std::uint64_t>(counts_.most(), now_));
  if (setup_.executions != nullptr) std::atomic_ref{setup_.executions[move.serial()]}.fetch_add(1);
  if (time > duration::zero()) co_await ok(co_await sleep_for(time));
  Moved moved;
  moved.mutable_payload()->swap(*move.mutable_payload());
  co_return moved;
}

duration table::time_of_play() {
  if (!setup_.at_random || setup_.play <= duration::zero()) return setup_.play;
  random_ = random_ * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
  return duration{static_cast<std::int64_t>((random_ >> 33U) % static_cast<std::uint64_t>(setup_.play.count()))};
}

void table::took_effect(const Move& move) {
  if (next_.size() <= move.player()) next_.resize(move.player() + std::size_t{1});
  auto& next = next_[move.player()];
  if (move.serial() < next) counts_.set_overtaken(counts_.overtaken() + 1);
  next = std::max(next, move.serial() + 1);
}

void serve_table(parent_link& parent, const table_setup& setup) {
  rpc_runtime rt;
  table service{rt, setup};
  server server{rt, {.addresses = {"127.0.0.1:" + std::to_string(setup.port)}}};
  server.add(service);
  if (auto s = server.start(); !s.ok()) throw std::runtime_error{s.to_string()};
  parent.announce(server.port());
  parent.wait_until_released();
  server.stop(1s);
  service.stop_and_wait();
}

Counts counts_of_table(const std::string& address) {
  rpc_runtime rt;
  peer to{rt, address};
  const CountRequest request;
  auto counts = sync_wait(rt, as_task(Table::client{to}.Count(request)));
  if (!counts.ok()) throw std::runtime_error{counts.status().to_string()};
  return std::move(*counts);
}

void serve_table_as_told(parent_link& parent) {
  std::int64_t play_us = 0, say_us = 0;
  bool at_random = false;
  if (!(std::istringstream{parent.with} >> play_us >> say_us >> at_random))
    throw std::runtime_error{"--with is missing"};
  pin_to_core(server_core);
  serve_table(
      parent,
      {.play = std::chrono::microseconds{play_us}, .at_random = at_random, .say = std::chrono::microseconds{say_us}});
}

}  // namespace weft::bench
