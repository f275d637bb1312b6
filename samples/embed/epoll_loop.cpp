// A program around epoll_wait that calls other servers with weft, on its one thread.
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <tuple>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/spawn.hpp>

#include "embed/epoll_pump.hpp"
#include "embed/world.hpp"

using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage = R"(usage: epoll_loop [--calls N]

A loop around epoll_wait drives a weft runtime: 100 tasks call a world server, N times each (20), while a timer of the
program's own goes on in the same loop, on the same thread.
  --calls N  calls of each task
  --serve    be the world server; this is how the program starts it
  --help     this text
)";

/// Something of the program's own that the loop watches: readable every 10 ms.
lobby::file_descriptor every_10_ms() {
  lobby::file_descriptor timer{timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
  itimerspec each{};
  each.it_value.tv_nsec = each.it_interval.tv_nsec = 10'000'000;
  timerfd_settime(timer.get(), 0, &each, nullptr);
  return timer;
}

}  // namespace

int main(int argc, char** argv) {
  const lobby::flag known[] = {{"--calls"}};
  auto line = embed::read_command_line(argc, argv, usage, known);
  const auto calls = line.number("--calls", 20, 1, 1'000'000);
  if (line.code >= 0) return line.code;
  const embed::world_server remote;  // first, while this process has no other threads
  if (remote.address().empty()) {
    std::cerr << remote.trouble() << "\n";
    return 1;
  }

  const lobby::file_descriptor epoll{epoll_create1(EPOLL_CLOEXEC)};
  const auto own = every_10_ms();
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.ptr = nullptr;  // the program's own
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, own.get(), &wanted) != 0) {
    std::cerr << "epoll_ctl: " << std::strerror(errno) << "\n";
    return 1;
  }
  weft::rpc_runtime rt{{.runtime = {.workers = 0, .wake = {.fd = true}}}};
  weft::peer peer{rt, remote.address()};
  const weft::session session{peer};
  embed::epoll_pump pump{epoll.get(), rt};

  constexpr std::uint32_t tasks = 100;
  std::uint64_t answered = 0;
  for (std::uint32_t i = 0; i < tasks; ++i) {
    weft::spawn(rt.control(), "wander", &embed::wander, embed::v1::World::client{session.ordered(i + 1)}, i, 5ms, calls,
                &answered);
  }

  std::uint64_t ticks = 0;
  const auto give_up = weft::steady_clock{}.now() + 60s;
  std::array<epoll_event, 16> events{};
  while (answered < tasks * calls && weft::steady_clock{}.now() < give_up) {
    const int n = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), pump.timeout_ms());
    for (int i = 0; i < n; ++i) {
      if (events[static_cast<std::size_t>(i)].data.ptr == &pump) continue;
      std::uint64_t expired = 0;
      std::ignore = read(own.get(), &expired, sizeof expired);
      ticks += expired;
    }
    pump.run();
  }
  std::cout << answered << " of " << tasks * calls << " calls were answered, and " << ticks << " ticks of a timerfd\n";
  return answered == tasks * calls ? 0 : 1;
}
