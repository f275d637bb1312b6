#include <thread>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/bench/rpc/weft_unary.hpp>

// R26: what does a server cost that nobody calls?

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

figures watch(const std::vector<std::string>& arguments, const trial_options& o) {
  child_process server{arguments};
  announced_port(server, 10s);
  std::this_thread::sleep_for(1s);  // what starting left to do
  const auto before = process_cpu_time(server.pid());
  std::this_thread::sleep_for(std::chrono::duration<double>{o.seconds});
  const auto used = std::chrono::duration<double, std::micro>(process_cpu_time(server.pid()) - before).count();
  return {{"cpu_us_per_s", used / o.seconds}, {"cpu_percent", used / o.seconds / 1e4}};
}

trial idle_trial(std::string name, bool peer, std::vector<std::string> arguments) {
  return {std::move(name), peer, 1, [arguments](const trial_options& o) { return watch(arguments, o); }};
}

}  // namespace

int run_idle(std::span<char* const> arguments) {
  return run_trials({.suite = "idle",
                     .question = "CPU time of a server that nobody calls. (R26)",
                     .all = {idle_trial("weft server", false, {"idle", "--serve", "weft"}),
                             idle_trial("weft server, spin 50 us", false, {"idle", "--serve", "weft, spin"}),
                             idle_trial("raw_cq", true, {"unary", "--serve", "raw_cq"}),
                             idle_trial("callback API", true, {"unary", "--serve", "callback API"}),
                             idle_trial("grpc-go", true, {"unary", "--serve", "grpc-go"})},
                     .figure = "cpu_us_per_s",
                     .rounds = 1,
                     .seconds = 20,
                     .quick_seconds = 2,
                     .servers = {{"weft", [](parent_link& parent) { serve_weft(parent, {}); }},
                                 {"weft, spin", [](parent_link& parent) { serve_weft(parent, {.spin = 50us}); }}}},
                    arguments);
}

}  // namespace weft::bench
