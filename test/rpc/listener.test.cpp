#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>
#include <weft/rpc/listener.hpp>

#include "../support/two_sides.hpp"

using test::two_sides;

namespace {

// Takes connections and closes them at once.
struct counting_listener {
  std::atomic<int> accepted{0};
  std::atomic<int> troubles{0};
  weft::listener listener{[this](int fd) {
                            close(fd);
                            ++accepted;
                            accepted.notify_all();
                          },
                          [this](const std::string&) {
                            ++troubles;
                            troubles.notify_all();
                          }};
  void wait_for(int connections) {
    for (int seen = accepted; seen < connections; seen = accepted) accepted.wait(seen);
  }
};

// This process has no file descriptor left, but for `more`.
class exhausted {
 public:
  explicit exhausted(int more = 0) {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = dup(0);
    close(next);
    const rlimit few{static_cast<rlim_t>(next + more), before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~exhausted() { setrlimit(RLIMIT_NOFILE, &before_); }
  exhausted(const exhausted&) = delete;
  exhausted& operator=(const exhausted&) = delete;

 private:
  rlimit before_{};
};

int unix_socket(const std::string& path, sockaddr_un& name) {
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

std::string temporary_path() {
  return (std::filesystem::temp_directory_path() / ("weft-listener-" + std::to_string(getpid()))).string();
}

sockaddr_in loopback(int port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(static_cast<std::uint16_t>(port));
  return name;
}

bool reaches(int socket, int port) {
  const auto name = loopback(port);
  return connect(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
}

bool reaches(int port) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  const bool reached = reaches(s, port);
  close(s);
  return reached;
}

}  // namespace

TEST_SUITE("listener") {
  TEST_CASE("connections of all its addresses are accepted, also those that came before it started") {
    counting_listener l;
    const auto one = l.listener.bind("127.0.0.1:0"), other = l.listener.bind("localhost:0");
    REQUIRE(one.ok());
    REQUIRE(other.ok());
    CHECK(*one != *other);
    CHECK(reaches(*one));
    l.listener.start();
    CHECK(reaches(*other));
    l.wait_for(2);
    l.listener.stop();
    CHECK_FALSE(reaches(*one));
  }

  TEST_CASE("an address that cannot be listened on is named, with the reason") {
    counting_listener first, second;
    const auto port = first.listener.bind("127.0.0.1:0");
    REQUIRE(port.ok());
    const auto taken = "127.0.0.1:" + std::to_string(*port);
    CHECK(second.listener.bind(taken).status() ==
          weft::unavailable("cannot listen on '" + taken + "': Address already in use"));
    CHECK(second.listener.bind("localhost").status() ==
          weft::unavailable("cannot listen on 'localhost': it has no port: \"host:port\", or \"unix:path\""));
    CHECK(second.listener.bind("192.0.2.1:0").status() ==
          weft::unavailable("cannot listen on '192.0.2.1:0': Cannot assign requested address"));
    for (const std::string wrong : {"99999", "-1", "http", ""}) {
      CHECK(second.listener.bind("127.0.0.1:" + wrong).status() ==
            weft::unavailable("cannot listen on '127.0.0.1:" + wrong + "': '" + wrong + "' is no port"));
    }
    CHECK_FALSE(second.listener.bind("no such host:1").ok());
    CHECK_FALSE(second.listener.bind("unix:").ok());
    CHECK_FALSE(second.listener.bind("unix:" + std::string(200, 'x')).ok());
  }

  TEST_CASE("a Unix socket that was left behind is taken over, one that is in use is not, and none is left") {
    const auto path = (std::filesystem::temp_directory_path() / ("weft-listener-" + std::to_string(getpid()))).string();
    {
      sockaddr_un name{};
      name.sun_family = AF_UNIX;
      path.copy(name.sun_path, sizeof name.sun_path - 1);
      const int left_behind = socket(AF_UNIX, SOCK_STREAM, 0);
      REQUIRE(bind(left_behind, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
      close(left_behind);
    }
    counting_listener first, second;
    CHECK(first.listener.bind("unix:" + path).ok());
    CHECK(second.listener.bind("unix:" + path).status() ==
          weft::unavailable("cannot listen on 'unix:" + path + "': Address already in use"));
    first.listener.stop();
    CHECK_FALSE(std::filesystem::exists(path));
  }

  TEST_CASE("a Unix socket in use whose server is too busy to answer is not waited for") {
    const auto path = temporary_path();
    sockaddr_un name{};
    const int busy = unix_socket(path, name);
    REQUIRE(bind(busy, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(listen(busy, 0) == 0);
    const int waits = unix_socket(path, name);
    REQUIRE(connect(waits, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);  // no further one may
    counting_listener l;
    CHECK(l.listener.bind("unix:" + path).status() ==
          weft::unavailable("cannot listen on 'unix:" + path + "': Address already in use"));
    for (const int fd : {waits, busy}) close(fd);
    std::filesystem::remove(path);
  }

  TEST_CASE("connections that keep coming do not keep it from stopping") {
    constexpr int most = 20'000;
    const auto address = "weft-flood-" + std::to_string(getpid());
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    address.copy(name.sun_path + 1, sizeof name.sun_path - 2);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size() + 1);
    std::atomic<int> accepted{0};
    const auto connect_one = [&] {
      const int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
      CHECK(connect(s, reinterpret_cast<const sockaddr*>(&name), size) == 0);
      close(s);
    };
    weft::listener l{[&](int fd) {
                       close(fd);
                       if (++accepted < most) connect_one();  // so the next one is there already
                     },
                     [](const std::string&) {}};
    REQUIRE(l.bind("unix-abstract:" + address).ok());
    connect_one();
    l.start();
    while (accepted < 100) std::this_thread::yield();
    l.stop();
    CHECK(accepted < most);
  }

  TEST_CASE("one that starts when no file descriptors are left can be stopped") {
    counting_listener l;
    REQUIRE(l.listener.bind("127.0.0.1:0").ok());
    {
      const exhausted none_left;
      l.listener.start();
    }
    l.listener.stop();
    CHECK(l.accepted == 0);
  }

  TEST_CASE("a server is called over Unix sockets") {
    const auto name = "weft-test-" + std::to_string(getpid());
    for (const auto& address :
         {"unix:" + (std::filesystem::temp_directory_path() / name).string(), "unix-abstract:" + name}) {
      CAPTURE(address);
      two_sides f{{.addresses = {"127.0.0.1:0", address}}};
      weft::peer peer{f.client, address};
      const auto reply = f.say_to(peer, "hi");
      REQUIRE_MESSAGE(reply.ok(), reply.status());
      CHECK(reply->peer().starts_with("unix"));
    }
  }

  TEST_CASE("running out of file descriptors ends nothing: connections wait until there are some") {
    two_sides f;
    CHECK(f.say("hi").ok());
    std::vector<int> sockets;
    for (int i = 0; i < 5; ++i) sockets.push_back(socket(AF_INET, SOCK_STREAM, 0));
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit few{static_cast<rlim_t>(sockets.back()) + 20, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    std::vector<int> hoard;
    for (int fd = dup(0); fd >= 0; fd = dup(0)) hoard.push_back(fd);

    for (const int s : sockets) CHECK(reaches(s, f.server.port()));  // the kernel takes them
    while (f.log().find("no file descriptors left") == std::string::npos) std::this_thread::yield();
    CHECK(f.say("those that have a connection go on").ok());

    for (const int fd : hoard) close(fd);
    for (const int s : sockets) {  // HTTP/2's settings come when the server has taken the connection
      pollfd readable{s, POLLIN, 0};
      CHECK(poll(&readable, 1, 10'000) == 1);
      close(s);
    }
    setrlimit(RLIMIT_NOFILE, &before);
    weft::peer another{f.client, f.server.address(), {.arguments = {{"weft.test", 1}}}};
    CHECK(f.say_to(another, "hi").ok());
  }
}
