#pragma once
#include <string>
#include <vector>

namespace weft::bench {

/// The peers in Go, one program.
inline constexpr const char* go_program = "go-peer";

bool has_go();

/// go-peer takes this process over, with its core and its pipes. Throws when it cannot be started.
[[noreturn]] void become_go(std::vector<std::string> arguments);

}  // namespace weft::bench
