#pragma once
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "dice.hpp"

namespace test {

inline sockaddr_in loopback(int port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<std::uint16_t>(port));
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return name;
}

/// Passes bytes on between clients and the server at `port`, on a thread of its own, as well as it is told to.
class bad_network {
 public:
  explicit bad_network(int port) : to_{port}, listens_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    auto name = loopback(0);
    socklen_t size = sizeof name;
    REQUIRE(::bind(listens_, reinterpret_cast<const sockaddr*>(&name), size) == 0);
    REQUIRE(::listen(listens_, 64) == 0);
    REQUIRE(::getsockname(listens_, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    address = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
    thread_ = std::thread{[this] { run(); }};
  }
  ~bad_network() {
    over_ = true;
    thread_.join();
    for (auto& l : links_) end(l, false);
    ::close(listens_);
  }
  bad_network(const bad_network&) = delete;
  bad_network& operator=(const bad_network&) = delete;

  std::string address;
  std::atomic<bool> resets{false};      // connections, at random
  std::atomic<bool> swallows{false};    // whatever is sent, and takes no connections
  std::atomic<bool> resets_all{false};  // connections, once; it is false again when that is done
  std::atomic<int> cut{0};              // connections that were reset

 private:
  struct link {
    int client, server;
    bool over = false;
  };

  static void end(link& l, bool reset) {
    const linger at_once{1, 0};
    for (const int fd : {l.client, l.server}) {
      if (reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      ::close(fd);
    }
    l.over = true;
  }
  static bool pass(int from, int to) {
    char bytes[16'384];
    const auto n = ::recv(from, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    return n > 0 && ::send(to, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
  }
  void run() {
    dice d{20261123};
    while (!over_) {
      std::vector<pollfd> ready;
      if (!swallows) {
        ready.push_back({listens_, POLLIN, 0});
        for (const auto& l : links_) {
          ready.push_back({l.client, POLLIN, 0});
          ready.push_back({l.server, POLLIN, 0});
        }
      }
      ::poll(ready.data(), ready.size(), 2);
      if (swallows || ready.empty()) continue;
      std::size_t i = 1;
      const bool all = resets_all;
      for (auto& l : links_) {
        const bool up = ready[i++].revents == 0 || pass(l.client, l.server);
        const bool down = ready[i++].revents == 0 || (up && pass(l.server, l.client));
        const bool reset = all || (resets && d.one_in(300));
        if (reset) ++cut;
        if (!up || !down || reset) end(l, reset);
      }
      std::erase_if(links_, [](const link& l) { return l.over; });
      if (all) resets_all = false;
      if (ready.front().revents == 0) continue;
      const int client = ::accept4(listens_, nullptr, nullptr, SOCK_CLOEXEC);
      const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const auto name = loopback(to_);
      static_cast<void>(::connect(server, reinterpret_cast<const sockaddr*>(&name), sizeof name));
      links_.push_back({client, server});
    }
  }

  int to_;
  int listens_;
  std::list<link> links_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace test
