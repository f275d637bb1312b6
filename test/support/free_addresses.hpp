#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <vector>

#include "lobby/child_process.hpp"

namespace test {

/// Addresses that were free a moment ago, all different: for programs that have to be told each other's.
template <std::size_t count>
std::array<std::string, count> free_addresses() {
  std::array<std::string, count> addresses;
  std::vector<lobby::file_descriptor> held;
  for (auto& address : addresses) {
    held.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    if (::bind(held.back().get(), generic, size) != 0 || ::getsockname(held.back().get(), generic, &size) != 0) {
      throw std::system_error{errno, std::generic_category(), "no free port"};
    }
    address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  }
  return addresses;
}

}  // namespace test
