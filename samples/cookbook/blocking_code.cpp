// Code that knows nothing of coroutines, a script's interpreter say, calls services all the same: on a fiber.
#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <tuple>
#include <weft/runtime/fiber.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace {

using namespace std::chrono_literals;

// Knows nothing of coroutines: calls back what it was given, from inside its own loops.
void each_line(const std::string& script, const std::function<void(const std::string&)>& on_line) {
  std::istringstream lines{script};
  for (std::string line; std::getline(lines, line);) on_line(line);
}

weft::task<int> pay(std::string coins) {
  std::ignore = co_await weft::sleep_for(1ms);  // a database, say
  co_return std::stoi(coins);
}

int run_script(weft::service& bank, std::string script) {
  int paid = 0;
  each_line(script, [&](const std::string& line) {
    const auto got = weft::await(bank.call([line] { return pay(line); }));  // everybody else goes on meanwhile
    if (got.ok()) paid += *got;
  });
  return paid;
}

weft::task<bool> evening(weft::service* bank, weft::scope& scope) {
  auto ann = scope.start(weft::fiber(&run_script, std::ref(*bank), std::string{"2\n3\n"}));
  auto bob = scope.start(weft::fiber(&run_script, std::ref(*bank), std::string{"10\n20\n"}));
  const auto first = co_await std::move(ann);
  const auto second = co_await std::move(bob);
  std::cout << "ann paid " << first << ", bob " << second << "\n";
  co_return first == 5 && second == 30;
}

}  // namespace

int main() {
  weft::runtime rt;
  weft::service bank{rt, {.name = "bank"}};
  const bool right = weft::sync_wait(rt, weft::with_scope(&evening, &bank));
  bank.stop_and_wait();
  if (!right) std::cerr << "blocking_code: not what should have happened\n";
  return right ? 0 : 1;
}
