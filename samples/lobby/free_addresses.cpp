#include "lobby/free_addresses.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <random>
#include <system_error>

#include "lobby/child_process.hpp"

namespace lobby {

std::vector<std::string> free_addresses(std::size_t count) {
  std::random_device seed;
  std::uniform_int_distribution<std::uint16_t> ports{20'000, 32'767};
  std::vector<std::string> addresses;
  std::vector<file_descriptor> held;  // until all are found: so they differ
  for (int attempt = 0; addresses.size() < count; ++attempt) {
    held.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto port = ports(seed);
    at.sin_port = htons(port);
    if (::bind(held.back().get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0) {
      addresses.push_back("127.0.0.1:" + std::to_string(port));
    } else if (errno != EADDRINUSE || attempt == 1'000) {
      throw std::system_error{errno, std::generic_category(), "no free port"};
    }
  }
  return addresses;
}

}  // namespace lobby
