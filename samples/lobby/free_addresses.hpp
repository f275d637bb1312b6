#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace lobby {

/// Loopback addresses that were free a moment ago, all different: for programs that have to be told each other's. Throws
/// std::system_error.
std::vector<std::string> free_addresses(std::size_t count);

}  // namespace lobby
