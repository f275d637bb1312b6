// Coins are neither lost nor paid twice: a payment has a number of its own, so it can be repeated until its outcome is known,
// and it is shielded from the player's leaving.
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <tuple>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

namespace {

using namespace std::chrono_literals;

class wallet : public weft::service {
 public:
  explicit wallet(weft::runtime& rt) : service{rt, {.name = "wallet", .reentrancy = weft::reentrancy::exclusive}} {}

  /// `payment` is the payer's own number: the same one again is the same payment, and gets the same answer.
  weft::reply<int> pay(std::uint64_t payment, int coins) {
    if (const auto done = receipts_.find(payment); done != receipts_.end()) co_return done->second;
    if (coins > balance_) co_return weft::failed_precondition("only " + std::to_string(balance_) + " coins are left");
    balance_ -= coins;
    receipts_[payment] = balance_;
    co_await weft::ok(co_await weft::sleep_for(slow_ ? 40ms : 1ms));  // done, but the answer comes too late at first
    slow_ = false;
    co_return receipts_[payment];
  }
  int balance() const { return balance_; }

 private:
  int balance_ = 100;
  bool slow_ = true;
  std::map<std::uint64_t, int> receipts_;  // a real one would be stored with the balance
};

/// Repeats the payment until its outcome is known. DEADLINE_EXCEEDED and UNAVAILABLE leave it open: it may have been made.
weft::reply<int> pay_once(wallet* w, std::uint64_t payment, int coins) {
  for (auto pause = 5ms;; pause *= 2) {
    auto paid = co_await w->call([w, payment, coins] { return w->pay(payment, coins); }, weft::within{20ms});
    const bool open = paid.code() == weft::code::deadline_exceeded || paid.code() == weft::code::unavailable;
    if (!open) co_return paid;
    std::cout << "payment " << payment << ": " << paid.status() << "; again\n";
    co_await weft::ok(co_await weft::sleep_for(pause));
  }
}

weft::task<weft::status> buy(wallet* w, int coins) {
  static std::uint64_t payments = 0;
  // The player may leave now: what was begun is brought to an end all the same, within 2 s.
  const int left = co_await weft::ok(weft::shield(pay_once(w, ++payments, coins), 2s));
  std::cout << "paid, " << left << " coins are left\n";
  co_return weft::status{};
}

weft::task<int> evening(wallet* w, weft::scope& scope) {
  auto player = scope.start(buy(w, 30));
  std::ignore = co_await weft::sleep_for(10ms);
  player.stop();  // the connection drops in the middle of the payment
  std::ignore = co_await std::move(player);
  const auto too_much = co_await pay_once(w, 99, 1'000);
  std::cout << "a thousand more: " << too_much.status() << "\n";
  auto balance = co_await w->call([w] { return w->balance(); });
  co_return std::move(balance).value_or(-1);
}

}  // namespace

int main() {
  weft::runtime rt;
  wallet w{rt};
  const int balance = weft::sync_wait(rt, weft::with_scope(&evening, &w));
  w.stop_and_wait();
  std::cout << "balance " << balance << "\n";
  if (balance != 70) std::cerr << "coins: paid not once\n";
  return balance == 70 ? 0 : 1;
}
