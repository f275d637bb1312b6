// A client for gRPC's interop test cases, on weft's own API.
#include <algorithm>
#include <iostream>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "cases.hpp"
#include "flags.hpp"

namespace {

std::string usage() {
  std::string text =
      "usage: interop_client --server_host=H --server_port=P --test_case=NAME [flag...]\n"
      "Ends with 0 when the case passed, with 1 when it did not, and says what was expected and what came.\n"
      "  --use_tls=true|false          false\n"
      "  --tls_ca_file=FILE            authorities, with --use_tls\n"
      "  --server_host_override=NAME   that the server's certificate has to have\n"
      "  --soak_iterations=N           100\n"
      "cases:\n";
  for (const auto& c : interop::test_cases()) text.append("  ").append(c.name).append("\n");
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int highest_port = 65'535, most_iterations = 1'000'000;
  const auto help = usage();
  const interop::flags flags{argc,
                             argv,
                             help,
                             {{"server_host", "localhost"},
                              {"server_port", ""},
                              {"test_case", ""},
                              {"use_tls", "false"},
                              {"tls_ca_file", ""},
                              {"server_host_override", ""},
                              {"soak_iterations", "100"}}};
  const auto cases = interop::test_cases();
  const auto wanted = std::ranges::find(cases, flags["test_case"], &interop::test_case::name);
  if (wanted == cases.end()) flags.wrong("test_case", "one of the cases below");
  weft::peer_options options;
  if (flags.yes("use_tls")) {
    options.tls = weft::client_tls{.authorities = flags["tls_ca_file"], .server_name = flags["server_host_override"]};
  }
  weft::rpc_runtime rt;
  weft::peer peer{rt, flags["server_host"] + ":" + std::to_string(flags.number("server_port", 1, highest_port)),
                  options};
  const interop::target to{peer, rt, options, flags.number("soak_iterations", 1, most_iterations)};
  const auto outcome = weft::sync_wait(rt, weft::with_timeout(std::chrono::seconds{60}, wanted->run(to)));
  if (outcome.ok()) return 0;
  std::cerr << "interop_client: " << wanted->name << ": " << outcome << "\n";
  return 1;
}
