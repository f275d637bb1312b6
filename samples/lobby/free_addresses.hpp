#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace lobby {

/// Loopback addresses that were free a moment ago, all different: for programs that have to be told each other's. Their
/// ports are below those that systems give to connections and to who asks for any (from 32768 on), so that nobody else gets
/// one meanwhile but by accident. Throws std::system_error.
std::vector<std::string> free_addresses(std::size_t count);

}  // namespace lobby
