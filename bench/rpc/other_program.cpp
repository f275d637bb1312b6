#include <weft/bench/rpc/other_program.hpp>

#include <unistd.h>

#include <stdexcept>
#include <weft/bench/rpc/trials.hpp>

namespace weft::bench {

bool is_built(const char* program) { return access(peer_program(program).c_str(), X_OK) == 0; }

void become(const char* program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), peer_program(program));
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  throw std::runtime_error{"cannot start " + arguments[0]};
}

}  // namespace weft::bench
