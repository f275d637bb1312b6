// A server for gRPC's interop test cases, on weft's own API.
#include <csignal>
#include <iostream>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "flags.hpp"
#include "test_service.hpp"

namespace {

constexpr const char* usage =
    "usage: interop_server --port=P [flag...]\n"
    "Serves grpc.testing.TestService on 127.0.0.1, says \"listening on PORT\", and ends on SIGTERM.\n"
    "  --port=P                 0, the default: a free one\n"
    "  --use_tls=true|false     false\n"
    "  --tls_cert_file=FILE     with --use_tls\n"
    "  --tls_key_file=FILE      with --use_tls\n";

}  // namespace

int main(int argc, char** argv) {
  constexpr int highest_port = 65'535;
  const interop::flags flags{
      argc, argv, usage, {{"port", "0"}, {"use_tls", "false"}, {"tls_cert_file", ""}, {"tls_key_file", ""}}};
  weft::rpc_runtime rt;
  weft::io io;
  weft::signals asked{io, {SIGINT, SIGTERM}};
  weft::server_options options{.addresses = {"127.0.0.1:" + std::to_string(flags.number("port", 0, highest_port))}};
  if (flags.yes("use_tls")) {
    options.tls = weft::server_tls{.certificate = flags["tls_cert_file"], .key = flags["tls_key_file"]};
  }
  interop::test_service service{rt};
  weft::server server{rt, std::move(options)};
  server.add(service);
  if (const auto started = server.start(); !started.ok()) {
    std::cerr << "interop_server: " << started << "\n";
    return 1;
  }
  std::cout << "listening on " << server.port() << "\n" << std::flush;
  weft::sync_wait(rt, asked.next());
  server.stop();
  service.stop_and_wait(weft::stop_mode::abort);
  return 0;
}
