// A program around Boost.Asio's io_context that calls other servers with weft, on its one thread.
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <iostream>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/spawn.hpp>

#include "embed/asio_pump.hpp"
#include "embed/world.hpp"

using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage = R"(usage: asio_loop [--calls N]

Boost.Asio's io_context drives a weft runtime: 100 tasks call a world server, N times each (20), while a timer of the
program's own goes on in the same context, on the same thread.
  --calls N  calls of each task
  --serve    be the world server; this is how the program starts it
  --help     this text
)";

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

  boost::asio::io_context context;
  weft::rpc_runtime rt{{.runtime = {.workers = 0, .wake = {.fd = true}}}};
  weft::peer peer{rt, remote.address()};
  const weft::session session{peer};
  embed::asio_pump pump{context, rt};

  constexpr std::uint32_t tasks = 100;
  std::uint64_t answered = 0;
  for (std::uint32_t i = 0; i < tasks; ++i) {
    weft::spawn(rt.control(), "wander", &embed::wander, embed::v1::World::client{session.ordered(i + 1)}, i, 5ms, calls,
                &answered);
  }

  boost::asio::steady_timer own{context};
  std::uint64_t ticks = 0;
  const auto give_up = weft::steady_clock{}.now() + 60s;
  std::function<void()> tick = [&] {
    ++ticks;
    if (answered == tasks * calls || weft::steady_clock{}.now() > give_up) {
      context.stop();
      return;
    }
    own.expires_after(10ms);
    own.async_wait([&](const auto&) { tick(); });
  };
  tick();
  context.run();
  std::cout << answered << " of " << tasks * calls << " calls were answered, and " << ticks << " ticks of Asio's own\n";
  return answered == tasks * calls ? 0 : 1;
}
