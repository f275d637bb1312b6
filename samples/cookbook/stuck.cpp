// "Why is it stuck?" What every suspended coroutine waits for, and what happens when two services wait for each other.
#include <iostream>
#include <string>
#include <tuple>
#include <weft/runtime/dump.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

using namespace std::chrono_literals;

struct table : weft::service {
  table(weft::runtime& rt, const char* name) : service{rt, {.name = name, .reentrancy = weft::reentrancy::exclusive}} {}

  // Holds this table while it asks the other: two tables that trade with each other at a time wait for each other.
  weft::task<weft::status> trade_with(table& other) {
    std::ignore = co_await weft::sleep_for(5ms);
    co_return (co_await other.call([] {})).status();
  }
};

weft::task<> player(weft::event* dealt) {
  (co_await weft::current()).rename("player ann");  // how dumps call it
  std::ignore = co_await dealt->wait();
}

weft::task<bool> evening(table* red, table* blue, weft::event* dealt, weft::scope& scope) {
  std::ignore = scope.start(player(dealt));
  std::ignore = co_await weft::sleep_for(20ms);
  // From another thread: weft::dump(runtime). On SIGUSR1: see samples/lobby.
  const auto dump = weft::dump_here();
  std::cout << dump << "\n";
  dealt->set();

  auto first = scope.start(red->call([red, blue] { return red->trade_with(*blue); }));
  auto second = scope.start(blue->call([red, blue] { return blue->trade_with(*red); }));
  const auto one = co_await std::move(first);
  const auto other = co_await std::move(second);
  std::cout << "red with blue: " << one.status() << "\nblue with red: " << other.status() << "\n";
  const bool told = (one.code() == weft::code::aborted) != (other.code() == weft::code::aborted);
  co_return told&& dump.find("player ann: event for") != std::string::npos;
}

}  // namespace

int main() {
  weft::runtime rt;
  table red{rt, "red table"}, blue{rt, "blue table"};
  weft::event dealt;
  const bool right = weft::sync_wait(rt, weft::with_scope(&evening, &red, &blue, &dealt));
  red.stop_and_wait();
  blue.stop_and_wait();
  if (!right) std::cerr << "stuck: not what should have happened\n";
  return right ? 0 : 1;
}
