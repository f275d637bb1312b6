#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>
#include <weft/bench/rpc/peer_contestants.hpp>

namespace weft::bench {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error{errno, std::system_category(), what}; }

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void no_delay(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void write_all(int socket, const char* data, std::size_t size) {
  while (size > 0) {
    const auto n = send(socket, data, size, MSG_NOSIGNAL);
    if (n < 0) fail("send");
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

// One connection; what was read is written back at once, whole batches of it.
void serve(parent_link& parent) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    fail("listen");
  parent.announce(ntohs(address.sin_port));
  const int peer = accept(listener, nullptr, nullptr);
  if (peer < 0) fail("accept");
  no_delay(peer);
  std::vector<char> bytes(1U << 20U);
  for (;;) {
    const auto n = read(peer, bytes.data(), bytes.size());
    if (n <= 0) break;
    write_all(peer, bytes.data(), static_cast<std::size_t>(n));
  }
  parent.wait_until_released();
}

// As much as there is room for. Who waited for room with answers to read would wait for ever.
std::size_t write_some(int socket, const char* data, std::size_t size) {
  const auto n = send(socket, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno != EAGAIN) fail("send");
  return 0;
}

// A call is its number and the payload, of known size.
run_result call(const call_setup& setup) {
  const int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto address = loopback(std::stoi(setup.target.substr(setup.target.find(':') + 1)));
  if (connect(to, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  no_delay(to);
  const auto frame = sizeof(std::uint32_t) + setup.payload;
  std::vector<char> out;
  const auto add = [&](std::uint32_t number) {
    const auto at = out.size();
    out.resize(at + frame, 'x');
    std::memcpy(out.data() + at, &number, sizeof number);
  };
  closed_loop loop{setup.load};
  std::vector<closed_loop::clock::time_point> began(static_cast<std::size_t>(setup.outstanding),
                                                    closed_loop::clock::now());
  for (std::uint32_t i = 0; i < began.size(); ++i) add(i);
  auto outstanding = began.size();
  std::vector<char> in(1U << 20U);
  std::size_t have = 0, written = 0;
  while (outstanding > 0) {
    if (!out.empty()) written += write_some(to, out.data() + written, out.size() - written);
    if (2 * written >= out.size()) {  // no more is moved than was written
      out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(written));
      written = 0;
    }
    const auto n = read(to, in.data() + have, in.size() - have);
    if (n <= 0) {
      loop.failed("the connection ended");
      break;
    }
    have += static_cast<std::size_t>(n);
    std::size_t at = 0;
    for (; at + frame <= have; at += frame) {
      std::uint32_t number = 0;
      std::memcpy(&number, in.data() + at, sizeof number);
      if (number >= began.size()) loop.failed("a reply to nothing");
      else if (loop.succeeded(began[number])) {
        add(number);
        continue;
      }
      --outstanding;
    }
    std::memmove(in.data(), in.data() + at, have - at);
    have -= at;
  }
  close(to);
  return loop.result();
}

}  // namespace

constinit const contestant tcp_echo{.name = "TCP, no gRPC", .peer = true, .serve = serve, .call = call};

}  // namespace weft::bench
