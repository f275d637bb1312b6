// A server of desk.proto for sessions.sh.
#include <csignal>
#include <iostream>
#include <string>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "desk.hpp"
#include "flags.hpp"

namespace {

constexpr const char* usage = "usage: session_server --port=P [--window=N] [--window_bytes=N]\n"
                              "Serves desk.v1.Desk on 127.0.0.1, says \"listening on PORT\"; on SIGTERM it finishes "
                              "what it has begun, and ends.\n"
                              "  --port=P    0, the default: a free one\n"
                              "  --window=N  calls of a session that are taken at once (64)\n"
                              "  --window_bytes=N  and the bytes of their requests (1048576)\n";

}  // namespace

int main(int argc, char** argv) {
  constexpr int highest_port = 65'535, widest_window = 100'000, widest_window_bytes = 1 << 30;
  const interop::flags flags{argc, argv, usage, {{"port", "0"}, {"window", "64"}, {"window_bytes", "1048576"}}};
  weft::rpc_runtime rt;
  weft::io io;
  weft::signals asked{io, {SIGINT, SIGTERM}};
  interop::desk service{rt};
  weft::server_options options{.addresses = {"127.0.0.1:" + std::to_string(flags.number("port", 0, highest_port))}};
  options.session_calls = static_cast<std::size_t>(flags.number("window", 1, widest_window));
  options.session_bytes = static_cast<std::size_t>(flags.number("window_bytes", 1, widest_window_bytes));
  weft::server server{rt, std::move(options)};
  server.add(service);
  if (const auto started = server.start(); !started.ok()) {
    std::cerr << "session_server: " << started << "\n";
    return 1;
  }
  std::cout << "listening on " << server.port() << "\n" << std::flush;
  weft::sync_wait(rt, asked.next());
  server.stop(std::chrono::seconds{2});
  service.stop_and_wait(weft::stop_mode::abort);
  return 0;
}
