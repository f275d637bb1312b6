// Calls between fibers of Boost over its buffered channels, on one thread; and the memory of fibers that wait.
#include <malloc.h>
#include <unistd.h>

#include <boost/fiber/all.hpp>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
namespace fibers = boost::fibers;

struct command {
  int argument;
  fibers::buffered_channel<int>* reply;
};

void local(int concurrency, double seconds) {
  fibers::buffered_channel<command> commands{1'024};
  fibers::fiber scheduler{[&] {
    for (auto& c : commands) c.reply->push(c.argument + 1);
  }};
  std::uint64_t calls = 0;
  const auto began = clock_type::now();
  const auto until = began + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>{seconds});
  std::vector<fibers::fiber> callers;
  for (int i = 0; i < concurrency; ++i)
    callers.emplace_back([&] {
      fibers::buffered_channel<int> reply{2};
      for (int n = 0;; ++n) {
        commands.push({n, &reply});
        if (reply.value_pop() != n + 1) std::abort();
        if (n % 1'000 == 999 && clock_type::now() >= until) {
          calls += static_cast<std::uint64_t>(n) + 1;
          return;
        }
      }
    });
  for (auto& caller : callers) caller.join();
  const double taken = std::chrono::duration<double>(clock_type::now() - began).count();
  commands.close();
  scheduler.join();
  const auto n = static_cast<double>(calls);
  std::cout << "calls_per_s " << n / taken << "\nns " << taken * 1e9 / n << "\nend" << std::endl;
}

std::size_t resident() {
  std::size_t all = 0, pages = 0;
  std::ifstream{"/proc/self/statm"} >> all >> pages;
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// Stacks come from malloc, 64 KiB of addresses each: what counts is what was touched.
void memory(int players) {
  fibers::mutex mutex;
  fibers::condition_variable go;
  bool gone = false;
  int waiting = 0;
  const auto before = resident();
  std::vector<fibers::fiber> all;
  all.reserve(static_cast<std::size_t>(players));
  for (int i = 0; i < players; ++i)
    all.emplace_back(std::allocator_arg, fibers::fixedsize_stack{16'384}, [&, name = "player " + std::to_string(i)] {
      std::unique_lock<fibers::mutex> held{mutex};
      ++waiting;
      go.wait(held, [&] { return gone; });
      if (name.empty()) std::abort();
    });
  while (waiting < players) boost::this_fiber::yield();
  std::cout << "bytes " << static_cast<double>(resident() - before) / players << "\nend" << std::endl;
  {
    std::unique_lock<fibers::mutex> held{mutex};
    gone = true;
  }
  go.notify_all();
  for (auto& one : all) one.join();
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 1;
  int concurrency = 1, players = 100'000;
  const std::string verb{argc > 1 ? argv[1] : ""};
  if (verb != "local" && verb != "memory") {
    (verb == "--help" ? std::cout : std::cerr)
        << "usage: fiber-peer local [--concurrency N] [--seconds S]\n       fiber-peer memory [--players N]\n";
    return verb == "--help" ? 0 : 2;
  }
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string flag{argv[i]};
    if (flag == "--seconds") seconds = std::stod(argv[i + 1]);
    else if (flag == "--concurrency") concurrency = std::stoi(argv[i + 1]);
    else if (flag == "--players") players = std::stoi(argv[i + 1]);
    else if (flag != "--calls") return std::cerr << "fiber-peer: cannot use " << flag << "\n", 2;
  }
  if (verb == "local") local(concurrency, seconds);
  else memory(players);
}
