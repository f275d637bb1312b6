// The example of test/kit/README.md.
#include <doctest/doctest.h>
#include <test/v1/wallet.weft.fake.hpp>

#include <chrono>
#include <tuple>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/peek.hpp>
#include <weft/test/world.hpp>

using namespace std::chrono_literals;
using test::v1::ReserveReply;
using test::v1::ReserveRequest;
using test::v1::Wallet;
using weft::test::peek;

namespace {

// [table]
// Who does not play within 15 s loses the turn. A bet is put aside by the wallet, another service.
struct table : weft::service {
  table(weft::runtime& rt, Wallet::client wallet) : service{rt, {.name = "table"}}, wallet_{wallet} {
    start(&table::keep_time, this);
  }

  weft::reply<weft::unit> play(int bet) {
    ReserveRequest request;
    request.set_amount(bet);
    std::ignore = co_await weft::ok(wallet_.Reserve(request));
    next_turn();
    co_return weft::unit{};
  }
  int turn() const { return turn_; }

 private:
  weft::task<> keep_time() {
    next_turn();
    for (;;) {
      const auto slept = co_await weft::sleep_until(turn_ends_);
      if (!slept.ok()) co_return;
      if (strand().home().now() >= turn_ends_) next_turn();
    }
  }
  void next_turn() {
    ++turn_;
    turn_ends_ = strand().home().now() + 15s;
  }

  Wallet::client wallet_;
  int turn_ = 0;
  weft::time_point turn_ends_;
};
// [table]

weft::reply<weft::unit> play(table* t, int bet) {
  co_return co_await t->call([t, bet] { return t->play(bet); });
}

}  // namespace

TEST_SUITE("kit example") {
  // [tests]
  TEST_CASE("who does not play within 15 s loses the turn") {
    weft::test::world w;
    Wallet::fake wallet{w};
    table t{w, wallet};
    w.advance(14s);
    CHECK(peek(t, [&] { return t.turn(); }) == 1);
    w.advance(1s);
    CHECK(peek(t, [&] { return t.turn(); }) == 2);
    t.stop_and_wait();
  }

  TEST_CASE("a bet that the wallet cannot take does not end the turn") {
    weft::test::world w;
    Wallet::fake wallet{w};
    table t{w, wallet};
    wallet.Reserve.returns(ReserveReply{});
    wallet.Reserve.once().delays(50ms).fails(weft::unavailable("closed for the night"));
    CHECK(w.run(play(&t, 10)).status() == weft::unavailable("closed for the night"));
    CHECK(peek(t, [&] { return t.turn(); }) == 1);
    CHECK(w.run(play(&t, 10)).ok());
    CHECK(peek(t, [&] { return t.turn(); }) == 2);
    CHECK(wallet.Reserve.calls().size() == 2);
    CHECK(wallet.Reserve.calls()[0].amount() == 10);
    t.stop_and_wait();
  }
  // [tests]
}
