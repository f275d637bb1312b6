#include <weft/bench/rpc/go_program.hpp>

#include <unistd.h>

#include <stdexcept>
#include <weft/bench/rpc/trials.hpp>

namespace weft::bench {

bool has_go() { return access(peer_program(go_program).c_str(), X_OK) == 0; }

void become_go(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), peer_program(go_program));
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  throw std::runtime_error{"cannot start " + arguments[0]};
}

}  // namespace weft::bench
