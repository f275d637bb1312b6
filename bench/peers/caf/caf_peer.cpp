// Calls between two actors of CAF, as its users write them: event-based actors, a request and its response.
#include <caf/all.hpp>

#include <atomic>
#include <chrono>
#include <cstring>
#include <iostream>
#include <string>

namespace {

using clock_type = std::chrono::steady_clock;
using add_one = caf::atom_constant<caf::atom("add")>;

caf::behavior server(caf::event_based_actor*) {
  return {[](add_one, int n) { return n + 1; }};
}

std::atomic<std::uint64_t> calls{0};

void call(caf::event_based_actor* self, const caf::actor& to, clock_type::time_point until, std::uint64_t n) {
  self->request(to, caf::infinite, add_one::value, static_cast<int>(n)).then([=](int reply) {
    if (reply != static_cast<int>(n) + 1) std::abort();
    if (n % 1'000 == 999 && clock_type::now() >= until) {
      calls += n + 1;
      return;
    }
    call(self, to, until, n + 1);
  });
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 1;
  int threads = 1, concurrency = 1;
  if (argc < 2 || std::strcmp(argv[1], "local") != 0) {
    const bool help = argc > 1 && std::strcmp(argv[1], "--help") == 0;
    (help ? std::cout : std::cerr) << "usage: caf-peer local [--threads N] [--concurrency N] [--seconds S]\n";
    return help ? 0 : 2;
  }
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string flag{argv[i]};
    if (flag == "--seconds") seconds = std::stod(argv[i + 1]);
    else if (flag == "--threads") threads = std::stoi(argv[i + 1]);
    else if (flag == "--concurrency") concurrency = std::stoi(argv[i + 1]);
    else if (flag != "--calls") return std::cerr << "caf-peer: cannot use " << flag << "\n", 2;
  }
  caf::actor_system_config config;
  config.set("scheduler.max-threads", static_cast<std::size_t>(threads));
  const auto began = clock_type::now();
  {
    caf::actor_system system{config};
    auto to = system.spawn(server);
    const auto until = began + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>{seconds});
    // One client that keeps so many requests out, as one strand's tasks do.
    system.spawn([=](caf::event_based_actor* self) {
      for (int i = 0; i < concurrency; ++i) call(self, to, until, 0);
    });
    to = nullptr;  // an actor ends when nobody can reach it
    system.await_all_actors_done();
  }
  const double taken = std::chrono::duration<double>(clock_type::now() - began).count();
  const auto n = static_cast<double>(calls.load());
  std::cout << "calls_per_s " << n / taken << "\nns " << taken * 1e9 / n << "\nend" << std::endl;
}
