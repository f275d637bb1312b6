#include "lobby/free_addresses.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "lobby/child_process.hpp"

namespace lobby {

std::vector<std::string> free_addresses(std::size_t count) {
  std::vector<std::string> addresses;
  std::vector<file_descriptor> held;  // until all are found: so they differ
  while (addresses.size() < count) {
    held.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    if (::bind(held.back().get(), generic, size) != 0 || ::getsockname(held.back().get(), generic, &size) != 0) {
      throw std::system_error{errno, std::generic_category(), "no free port"};
    }
    addresses.push_back("127.0.0.1:" + std::to_string(ntohs(at.sin_port)));
  }
  return addresses;
}

}  // namespace lobby
