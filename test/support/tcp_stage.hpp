#pragma once
#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/frame.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace test {

using links = std::unique_ptr<weft::link>;

/// What a task is given: a runtime with one worker, an io, and a listener at a free port.
struct stage {
  weft::runtime* rt;
  weft::io* net;
  weft::tcp_listener* listener;

  weft::strand& strand() const { return rt->control(); }
  auto connect(weft::link_options options = {}) const {
    return weft::tcp_connect(*net, strand(), listener->address(), options);
  }
};

template <class Body>
weft::task<> on_stage(weft::runtime* rt, weft::io* net, weft::link_options options, Body body) {
  auto listener = weft::tcp_listen(*net, rt->control(), "127.0.0.1:0", options);
  REQUIRE(listener.ok());
  stage s{rt, net, listener->get()};
  co_await weft::with_scope(std::move(body), &s);
  (*listener)->close();
  const weft::status closed = co_await (*listener)->closed();
  CHECK(closed.ok());
}

template <class Body>
void run(Body body, weft::link_options options = {}) {
  weft::runtime rt;
  weft::io net;
  weft::sync_wait(rt, on_stage(&rt, &net, options, std::move(body)));
}

/// A peer of which every byte is in our hands. Blocking, but never for long: loopback.
class raw_client {
 public:
  explicit raw_client(std::uint16_t port, int flags = 0) : fd_{::socket(AF_INET, SOCK_STREAM | flags, 0)} {
    REQUIRE(fd_ >= 0);
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  }
  ~raw_client() { close(); }
  raw_client(const raw_client&) = delete;

  void send(std::string_view bytes) const {
    REQUIRE(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  /// Bytes that went; 0 when the kernel takes no more.
  std::size_t send_some(std::string_view bytes) const {
    const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  std::string read_to_end() const {
    std::string all;
    char buffer[4'096];
    for (ssize_t n = 0; (n = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;)
      all.append(buffer, static_cast<std::size_t>(n));
    return all;
  }
  void shut_sending() const { ::shutdown(fd_, SHUT_WR); }
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

inline std::string frame(std::string_view message) {
  std::string out;
  weft::encode_frame(message, out);
  return out;
}

inline std::size_t threads() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) ++n;
  return n;
}

}  // namespace test
