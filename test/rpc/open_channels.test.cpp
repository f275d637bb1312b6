#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/detail/open_channels.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>

using namespace std::chrono_literals;

namespace {

// A server of which every byte is in our hands, with one client.
class raw_server {
 public:
  enum class listens { at_once, later };
  explicit raw_server(listens when = listens::at_once) : listens_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    REQUIRE(::bind(listens_, reinterpret_cast<const sockaddr*>(&at), size) == 0);
    REQUIRE(::getsockname(listens_, reinterpret_cast<sockaddr*>(&at), &size) == 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    if (when == listens::at_once) listen();
  }
  ~raw_server() {
    ::close(listens_);
    ::close(client_);
  }
  raw_server(const raw_server&) = delete;
  raw_server& operator=(const raw_server&) = delete;

  const std::string& address() const noexcept { return address_; }
  void listen() const { REQUIRE(::listen(listens_, 1) == 0); }

  /// Until the client is connected and says so in HTTP/2; `turn` lets it do what it has to.
  template <class Turn>
  void await_client(Turn turn) {
    while (!readable(listens_)) turn();
    client_ = ::accept4(listens_, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(client_ >= 0);
    while (!readable(client_)) turn();
    char first = 0;
    REQUIRE(::recv(client_, &first, 1, 0) == 1);
    CHECK(first == 'P');
  }
  void send_settings() const {
    constexpr std::string_view empty{"\0\0\0\4\0\0\0\0\0", 9};
    REQUIRE(::send(client_, empty.data(), empty.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(empty.size()));
  }
  /// Whether the client closes its side, within a quarter of a minute.
  bool client_goes() const {
    const timeval patience{15, 0};
    ::setsockopt(client_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    char bytes[4'096];
    for (;;) {
      const auto n = ::recv(client_, bytes, sizeof bytes, 0);
      if (n <= 0) return n == 0 || errno == ECONNRESET;
    }
  }

 private:
  static bool readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, 1) == 1;
  }

  const int listens_;
  int client_ = -1;
  std::string address_;
};

void begin_to_connect(weft::peer& peer) { peer.shared_channel()->next().grpc().GetState(/*try_to_connect=*/true); }

}  // namespace

TEST_SUITE("open_channels") {
  TEST_CASE("a peer that ends while it connects leaves no connection behind") {
    raw_server server;
    weft::rpc_runtime rt;
    auto peer = std::make_unique<weft::peer>(rt, server.address());
    begin_to_connect(*peer);
    server.await_client([] {});
    peer.reset();
    server.send_settings();
    CHECK(server.client_goes());
  }

  TEST_CASE("a peer that ends while it connects again, after it could not, leaves no connection behind") {
    raw_server server{raw_server::listens::later};
    weft::rpc_runtime rt;
    auto peer = std::make_unique<weft::peer>(rt, server.address(),
                                             weft::peer_options{.first_backoff = 10ms, .most_backoff = 10ms});
    begin_to_connect(*peer);
    while (peer->connectivity() != weft::connectivity::failing) std::this_thread::yield();
    server.listen();
    server.await_client([] {});
    peer.reset();
    server.send_settings();
    CHECK(server.client_goes());
  }

  TEST_CASE("a runtime that ends while a peer connects leaves no connection behind") {
    raw_server server;
    {
      weft::rpc_runtime rt{{.runtime = {.workers = 0}}};
      weft::peer peer{rt, server.address()};
      begin_to_connect(peer);
      server.await_client([&] { rt.pump(); });
      server.send_settings();
    }
    weft::rpc_runtime another;  // gRPC reads what has come wherever somebody polls
    CHECK(server.client_goes());
  }

  TEST_CASE("a runtime that ends does not wait long for a peer that never gets through") {
    raw_server server;
    std::chrono::steady_clock::time_point began;
    {
      weft::rpc_runtime rt{{.runtime = {.workers = 0}}};
      weft::peer peer{rt, server.address()};
      begin_to_connect(peer);
      server.await_client([&] { rt.pump(); });
      began = std::chrono::steady_clock::now();
    }
    CHECK(std::chrono::steady_clock::now() - began < 20 * weft::detail::open_channels::longest);
  }
}
