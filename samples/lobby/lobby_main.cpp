// The lobby's server, in any role: `lobby --role all|gate|lobby|cards|chat --config FILE`.
#include <dirent.h>

#include <array>
#include <csignal>
#include <iostream>
#include <string>
#include <string_view>
#include <weft/rpc/process_setup.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/signals.hpp>

#include "lobby/flags.hpp"
#include "lobby/process.hpp"
#include "lobby/topology.hpp"

namespace {

constexpr std::string_view usage =
    "usage: lobby --role all|gate|lobby|cards|chat --config FILE\n\n"
    "Serves a card lobby. FILE is a topology as JSON (proto/lobby/v1/topology.proto): where each service is,\n"
    "and how slow chat and the journal are made. Prints 'ready ROLE' for each service once it can be called.\n"
    "SIGINT or SIGTERM ends it in order, a second one at once; SIGUSR1 writes all suspended tasks to stderr.\n"
    "Where a service has an address there is gRPC's health service too.\n";

constexpr std::array known{lobby::flag{"--role"}, lobby::flag{"--config"}, lobby::flag{"--help", false}};

long open_fds() {
  long n = 0;
  auto* d = opendir("/proc/self/fd");
  if (d == nullptr) return -1;
  while (readdir(d) != nullptr) ++n;
  closedir(d);
  return n;
}

int serve(lobby::role role, const lobby::v1::Topology& topology) {
  // Before anybody is told that the process is there, and never destroyed: no further signal cuts the end short.
  static auto& io = *new weft::io;
  static auto& asked = *new weft::signals{io, {SIGINT, SIGTERM}};
  weft::wait_until_grpc_is_down();  // gRPC keeps two descriptors from its first use to the end of the process
  const auto fds_before = open_fds();
  lobby::process::left_over left;
  {
    auto process = lobby::process::start(role, topology);
    if (!process.ok()) {
      std::cerr << "lobby: " << process.status() << "\n";
      return 1;
    }
    for (const auto& name : (*process)->served()) std::cout << "ready " << name << "\n";
    std::cout << std::flush;
    (*process)->run_until(asked);
    left = (*process)->drain(asked);
  }
  weft::wait_until_grpc_is_down();
  std::cout << "left tasks=" << left.tasks << " calls=" << left.calls << " fds=" << open_fds() - fds_before << "\n"
            << std::flush;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto given = lobby::flags::parse({argv + 1, static_cast<std::size_t>(argc - 1)}, known);
  if (given.ok() && given->has("--help")) {
    std::cout << usage;
    return 0;
  }
  if (!given.ok() || !given->has("--config")) {
    std::cerr << "lobby: " << (given.ok() ? "--config is missing" : given.status().message()) << "\n" << usage;
    return 2;
  }
  const auto role = lobby::role_from(given->text("--role", "all"));
  const auto topology = lobby::read_topology(given->text("--config"));
  for (const auto& problem : {role.status(), topology.status()}) {
    if (problem.ok()) continue;
    std::cerr << "lobby: " << problem << "\n";
    return 2;
  }
  return serve(*role, *topology);
}
