#pragma once
#include <string>
#include <utility>
#include <vector>

namespace weft::bench {

/// The peers in Go, one program in peers/.
inline constexpr const char* go_program = "go-peer";
/// asio-grpc's peer.
inline constexpr const char* asio_grpc_program = "asio-grpc-peer";

bool is_built(const char* program);
inline bool has_go() { return is_built(go_program); }

/// A program in peers/ takes this process over, with its core and its pipes. Throws when it cannot be started.
[[noreturn]] void become(const char* program, std::vector<std::string> arguments);
[[noreturn]] inline void become_go(std::vector<std::string> arguments) { become(go_program, std::move(arguments)); }

}  // namespace weft::bench
