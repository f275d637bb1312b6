// Tests without waiting: a turn of 30 s in virtual time, a wallet that fails on demand, and a race that a seed repeats. With any
// test framework, or with none, as here.
#include <iostream>
#include <string>
#include <utility>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/peek.hpp>
#include <weft/test/seeds.hpp>
#include <weft/test/world.hpp>

#include "table.weft.fake.hpp"

namespace {

using namespace std::chrono_literals;
using namespace cookbook::v1;
using weft::test::world;

// What is tested: a turn goes to who bets first, and passes on after 30 s. The wallet, another service, puts the coins aside.
struct table : Table::service {
  table(weft::runtime& rt, Wallet::client wallet) : service{rt, {.name = "table"}}, wallet_{wallet} { next_turn(); }

  weft::reply<BetReply> Bet(BetRequest& request) override {
    const int turn = turn_;
    ReserveRequest coins;
    coins.set_player(request.player());
    coins.set_coins(request.coins());
    co_await weft::ok(wallet_.Reserve(coins));
    if (turn != turn_) {  // it has passed on while the wallet was asked
      co_await weft::ok(wallet_.Release(coins));
      co_return weft::aborted("too late");
    }
    next_turn();
    co_return BetReply{};
  }
  int turn() const { return turn_; }

 private:
  void next_turn() { start(&table::time_out, this, ++turn_); }
  weft::task<> time_out(int turn) {
    const auto slept = co_await weft::sleep_for(30s);
    if (slept.ok() && turn == turn_) next_turn();
  }

  Wallet::client wallet_;
  int turn_ = 0;
};

weft::reply<BetReply> bet(Table::client t, std::string player) {
  BetRequest request;
  request.set_player(player);
  co_return co_await t.Bet(request);
}

bool all_right = true;

void check(bool right, const char* what) {
  if (right) return;
  all_right = false;
  std::cout << "FAILED: " << what << "\n";
  weft::test::report_seed();  // and how to repeat it
}

void a_turn_passes_on_after_30_s() {
  world w;
  Wallet::fake wallet{w};
  table t{w, wallet};
  const auto turn = [&] { return weft::test::peek(t, [&] { return t.turn(); }); };
  w.advance(29'999ms);
  check(turn() == 1, "the turn passes on early");
  w.advance(1ms);
  check(turn() == 2, "the turn does not pass on");

  wallet.Reserve.returns(ReserveReply{});
  wallet.Reserve.once().delays(50ms).fails(weft::unavailable("closed for the night"));
  const auto refused = w.run(bet(t, "ann"));
  check(refused.code() == weft::code::unavailable && turn() == 2, "a bet that the wallet refused ends the turn");
  check(w.run(bet(t, "ann")).ok() && turn() == 3, "a bet does not end the turn");
  check(wallet.Reserve.calls().size() == 2, "the wallet was not asked twice");
  t.stop_and_wait();
  std::cout << "turns of 30 s, a wallet that fails (" << refused.status() << "): tested\n";
}

weft::task<bool> ann_before_bob(Table::client t, weft::scope& scope) {
  auto ann = scope.start(bet(t, "ann"), "ann");  // what traces and dumps call it
  auto bob = scope.start(bet(t, "bob"), "bob");
  const auto anns = co_await std::move(ann);
  const auto bobs = co_await std::move(bob);
  check(anns.ok() != bobs.ok(), "a turn goes to two, or to none");
  co_return anns.ok();
}

// Both bets are with the wallet for 10 ms: which comes back first is the seed's choice.
bool race(world& w) {
  Wallet::fake wallet{w};
  table t{w, wallet};
  wallet.Reserve.delays(10ms).returns(ReserveReply{});
  wallet.Release.returns(ReserveReply{});
  const bool ann_first = w.run(weft::with_scope(&ann_before_bob, Table::client{t}));
  check(wallet.Release.calls().size() == 1 && wallet.Release.calls()[0].player() == (ann_first ? "bob" : "ann"),
        "the loser's coins are not given back");
  t.stop_and_wait();
  return ann_first;
}

}  // namespace

int main() {
  a_turn_passes_on_after_30_s();
  int wins[2] = {};
  weft::test::for_seeds(100, [&](world& w) { ++wins[race(w) ? 0 : 1]; });
  std::cout << "a race for a turn, " << wins[0] << " times ann was first, " << wins[1] << " times bob\n";
  world once{{.seed = 7, .trace = true}}, again{{.seed = 7, .trace = true}};
  check(race(once) == race(again) && once.trace() == again.trace(), "a seed is not one run");
  std::cout << "seed 7, the same run each time:\n"
            << once.trace().substr(0, once.trace().find("10.000 ms control: test"));
  return all_right ? 0 : 1;
}
