#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/event.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/frame.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

using namespace std::chrono_literals;

namespace {

using links = std::unique_ptr<weft::link>;

// What a task is given: a runtime with one worker, an io, and a listener at a free port.
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

// A peer of which every byte is in our hands. Blocking, but never for long: loopback.
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
  // Bytes that went; 0 when the kernel takes no more.
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

std::string frame(std::string_view message) {
  std::string out;
  weft::encode_frame(message, out);
  return out;
}

std::set<int> open_descriptors() {
  std::set<int> all;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    const int fd = std::stoi(entry.path().filename().string());
    if (::fcntl(fd, F_GETFD) != -1) all.insert(fd);
  }
  return all;  // with the iterator's own, always the same one when nothing else has changed
}

std::size_t threads() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/task"}) ++n;
  return n;
}

}  // namespace

TEST_SUITE("tcp") {
  TEST_CASE("frames that come a byte at a time are put together") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      raw_client client{s->listener->port()};
      auto server = co_await s->listener->accept();
      for (const char c : frame("hello") + frame("") + frame("world")) client.send({&c, 1});
      for (const auto* expected : {"hello", "", "world"}) {
        auto got = co_await server->receive();
        CHECK((got && *got == expected));
      }
    });
  }

  TEST_CASE("a peer that closes in the middle of a frame ends the link with UNAVAILABLE") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      for (const std::size_t bytes : {std::size_t{2}, std::size_t{6}}) {
        raw_client client{s->listener->port()};
        auto server = co_await s->listener->accept();
        client.send(frame("whole") + frame("partial").substr(0, bytes));
        client.close();
        auto whole = co_await server->receive();
        CHECK((whole && *whole == "whole"));
        auto none = co_await server->receive();
        CHECK_FALSE(none.has_value());
        CHECK(server->end().code() == weft::code::unavailable);
        CHECK(server->end().message().find("middle of a frame") != std::string::npos);
      }
    });
  }

  TEST_CASE("a peer that resets the connection ends the link with UNAVAILABLE") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      raw_client client{s->listener->port()};
      auto server = co_await s->listener->accept();
      client.reset();
      auto none = co_await server->receive();
      CHECK_FALSE(none.has_value());
      CHECK(server->end().code() == weft::code::unavailable);
      CHECK((co_await server->closed()).ok());
      CHECK_FALSE(server->open());
    });
  }

  TEST_CASE("a length beyond all bounds ends the link with INVALID_ARGUMENT, and it may still say goodbye") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      raw_client client{s->listener->port()};
      auto server = co_await s->listener->accept();
      client.send("GET / HTTP/1.1\r\n\r\n");
      auto none = co_await server->receive();
      CHECK_FALSE(none.has_value());
      CHECK(server->end().code() == weft::code::invalid_argument);
      CHECK(server->send("this is not HTTP").ok());
      server.reset();
      client.shut_sending();
      CHECK(client.read_to_end() == frame("this is not HTTP"));
    });
  }

  TEST_CASE("a peer that has closed its half still gets its answers") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      raw_client client{s->listener->port()};
      auto server = co_await s->listener->accept();
      client.send(frame("1") + frame("2"));
      client.shut_sending();
      while (auto message = co_await server->receive()) CHECK(server->send("re " + *message).ok());
      CHECK(server->end().ok());
      server.reset();
      CHECK(client.read_to_end() == frame("re 1") + frame("re 2"));
    });
  }

  TEST_CASE("what was flushed reaches a peer whose bytes nobody reads any more") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      raw_client client{s->listener->port()};
      auto server = co_await s->listener->accept();
      for (int i = 0; i < 1'000; ++i) client.send(frame("unread"));
      CHECK(server->send("farewell").ok());
      server->close();
      client.shut_sending();
      CHECK((co_await server->closed()).ok());
      CHECK(client.read_to_end() == frame("farewell"));  // and not a reset
    });
  }

  TEST_CASE("a flooding peer is not read beyond the bounds, and nothing is lost") {
    run(
        [](stage* s, weft::scope&) -> weft::task<> {
          raw_client client{s->listener->port()};
          auto server = co_await s->listener->accept();
          const auto empty = frame("");
          std::string flood;
          for (int i = 0; i < 10'000; ++i) flood += empty;
          std::size_t sent = 0;
          // Until the kernel has not taken anything for a while: both its buffers are full.
          for (int idle = 0; idle < 1'000; ++idle) {
            const auto n = client.send_some(std::string_view{flood}.substr(sent % flood.size()));
            if (n != 0) idle = 0;
            sent += n;
            REQUIRE(server->counters().messages_in <= 16);
            co_await weft::yield{};
          }
          client.shut_sending();
          std::size_t received = 0;
          while (co_await server->receive()) {
            ++received;
            REQUIRE(server->counters().messages_in <= received + 16);
          }
          CHECK(received == sent / empty.size());
        },
        {.inbound_messages = 16});
  }

  TEST_CASE("a peer that does not read is cut off at the bound, at once") {
    run(
        [](stage* s, weft::scope&) -> weft::task<> {
          raw_client client{s->listener->port()};
          auto server = co_await s->listener->accept();
          weft::status last;
          while (last.ok()) {
            last = server->send(std::string(60'000, 'x'));
            co_await weft::yield{};
          }
          CHECK(last.code() == weft::code::resource_exhausted);
          auto none = co_await server->receive();
          CHECK_FALSE(none.has_value());
          CHECK(server->end() == last);
          CHECK((co_await server->closed()).ok());
        },
        {.outbound_bytes = 500'000});
  }

  TEST_CASE("a peer that does not read delays the closing by the limit only") {
    run(
        [](stage* s, weft::scope&) -> weft::task<> {
          raw_client client{s->listener->port()};
          auto server = co_await s->listener->accept();
          while (server->send(std::string(60'000, 'x')).ok()) co_await weft::yield{};
          const auto before = std::chrono::steady_clock::now();
          server->close();
          CHECK((co_await server->closed()).ok());
          CHECK(std::chrono::steady_clock::now() - before >= 900ms);
        },
        {.outbound_bytes = 500'000, .slow = weft::slow_policy::refuse});
  }

  TEST_CASE("addresses that are none are refused with INVALID_ARGUMENT, by name") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      for (const auto* address : {"", "7000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:7x", "::1:7000",
                                  "[127.0.0.1]:7000", "example.org:7000", "1.2.3:4"}) {
        CAPTURE(address);
        const auto connected = co_await weft::tcp_connect(*s->net, s->strand(), address);
        CHECK(connected.code() == weft::code::invalid_argument);
        CHECK(connected.status().message().find("'" + std::string{address} + "'") != std::string::npos);
        const auto listening = weft::tcp_listen(*s->net, s->strand(), address);
        CHECK(listening.code() == weft::code::invalid_argument);
      }
    });
  }

  TEST_CASE("a port where nobody listens is UNAVAILABLE, with address and reason") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      const auto address = s->listener->address();
      s->listener->close();
      CHECK((co_await s->listener->closed()).ok());
      const auto refused = co_await weft::tcp_connect(*s->net, s->strand(), address);
      CHECK(refused.status() == weft::unavailable("cannot connect to " + address + ": Connection refused"));
    });
  }

  TEST_CASE("a port that is taken is UNAVAILABLE, and free once closed") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      const auto address = s->listener->address();
      auto second = weft::tcp_listen(*s->net, s->strand(), address);
      CHECK(second.status() == weft::unavailable("cannot listen at " + address + ": Address already in use"));
      s->listener->close();
      CHECK((co_await s->listener->closed()).ok());
      auto third = weft::tcp_listen(*s->net, s->strand(), address);
      CHECK(third.ok());
    });
  }

  TEST_CASE("localhost and IPv6 addresses work") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      auto by_name =
          co_await weft::tcp_connect(*s->net, s->strand(), "localhost:" + std::to_string(s->listener->port()));
      CHECK(by_name.ok());
      auto six = weft::tcp_listen(*s->net, s->strand(), "[::1]:0");
      if (!six.ok()) co_return;  // a machine without IPv6
      CHECK((*six)->address().starts_with("[::1]:"));
      auto connected = co_await weft::tcp_connect(*s->net, s->strand(), (*six)->address());
      CHECK(connected.ok());
      auto accepted = co_await (*six)->accept();
      CHECK(accepted->peer().starts_with("[::1]:"));
    });
  }

  TEST_CASE("accept yields null when the listener is closed, and when the task is stopped") {
    run([](stage* s, weft::scope& sc) -> weft::task<> {
      auto one = sc.start(s->listener->accept()), two = sc.start(s->listener->accept());
      co_await weft::yield{};
      one.stop();
      CHECK(co_await std::move(one) == nullptr);
      s->listener->close();
      CHECK(co_await std::move(two) == nullptr);
      CHECK(co_await s->listener->accept() == nullptr);
    });
  }

  TEST_CASE("a connection for which a stopped accept had asked goes to the next one") {
    run([](stage* s, weft::scope& sc) -> weft::task<> {
      auto stopped = sc.start(s->listener->accept());
      co_await weft::yield{};
      stopped.stop();
      CHECK(co_await std::move(stopped) == nullptr);
      auto client = co_await s->connect();
      REQUIRE(client.ok());
      CHECK((*client)->send("hello").ok());
      auto server = co_await s->listener->accept();
      auto got = co_await server->receive();
      CHECK((got && *got == "hello"));
    });
  }

  TEST_CASE("several accepts get a connection each") {
    run([](stage* s, weft::scope& sc) -> weft::task<> {
      std::vector<weft::started<links>> accepting;
      for (int i = 0; i < 5; ++i) accepting.push_back(sc.start(s->listener->accept()));
      std::vector<links> clients;
      for (int i = 0; i < 5; ++i) {
        auto client = co_await s->connect();
        REQUIRE(client.ok());
        clients.push_back(std::move(*client));
      }
      for (auto& a : accepting) CHECK(co_await std::move(a) != nullptr);
    });
  }

  TEST_CASE("an attempt to connect is ended by stop") {
    run([](stage* s, weft::scope& sc) -> weft::task<> {
      auto attempt = sc.start(s->connect());
      attempt.stop();
      const auto outcome = co_await std::move(attempt);
      CHECK(outcome.code() == weft::code::cancelled);
      auto second = sc.start(s->connect());
      co_await weft::yield{};
      second.stop();
      const auto either = co_await std::move(second);
      CHECK((either.ok() || either.code() == weft::code::cancelled));
    });
  }

  TEST_CASE("a link may belong to another worker than its listener") {
    weft::runtime rt{{.workers = 2}};
    weft::io net;
    weft::strand there{rt, {.name = "there", .worker = 1}};
    auto body = [](weft::strand* there, stage* s, weft::scope&) -> weft::task<> {
      auto client = co_await s->connect();
      REQUIRE(client.ok());
      auto server = co_await s->listener->accept(*there);
      auto echo = [](links l) -> weft::task<> {
        while (auto message = co_await l->receive()) CHECK(l->send(std::move(*message)).ok());
      };
      CHECK(weft::spawn(*there, "echo", echo, std::move(server)));
      for (int i = 0; i < 100; ++i) {
        CHECK((*client)->send(std::to_string(i)).ok());
        auto got = co_await (*client)->receive();
        CHECK((got && *got == std::to_string(i)));
      }
      (*client)->close();
      CHECK((co_await (*client)->closed()).ok());
    };
    auto bound = [](weft::strand* there, auto body, stage* s, weft::scope& sc) { return body(there, s, sc); };
    weft::sync_wait(rt, on_stage(&rt, &net, {}, std::bind_front(bound, &there, body)));
    rt.stop();
  }

  TEST_CASE("without descriptors the listener backs off and goes on when there are some again") {
    run([](stage* s, weft::scope& sc) -> weft::task<> {
      raw_client client{s->listener->port(), SOCK_CLOEXEC};  // connected by the kernel, not yet accepted
      rlimit before{};
      REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
      const int next = ::dup(0);
      REQUIRE(next >= 0);
      ::close(next);
      rlimit none = before;
      none.rlim_cur = static_cast<rlim_t>(next);
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
      auto accepting = sc.start(s->listener->accept());
      while (s->listener->starved() < 2) co_await weft::yield{};
      CHECK(::setrlimit(RLIMIT_NOFILE, &before) == 0);
      CHECK(co_await std::move(accepting) != nullptr);
    });
  }

  TEST_CASE("no socket is inherited by a child process") {
    run([](stage* s, weft::scope&) -> weft::task<> {
      auto client = co_await s->connect();
      auto server = co_await s->listener->accept();
      REQUIRE(server != nullptr);
      for (const int fd : open_descriptors()) {
        int type = 0;
        socklen_t size = sizeof type;
        if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) continue;
        sockaddr_storage name{};
        size = sizeof name;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0 || name.ss_family != AF_INET) continue;
        CAPTURE(fd);
        CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        int no_delay = 0;
        size = sizeof no_delay;
        int listening = 0;
        socklen_t listening_size = sizeof listening;
        ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_size);
        ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size);
        CHECK((listening != 0 || no_delay != 0));
      }
    });
  }

  TEST_CASE("2,000 connections come and go and leave no descriptor and no thread") {
    std::thread{[] {}}.join();  // a sanitizer starts a thread of its own with the first
    const auto threads_before = threads();
    const auto descriptors_before = open_descriptors();
    run([](stage* s, weft::scope& sc) -> weft::task<> {
      auto session = [](links l) -> weft::task<> {
        while (auto message = co_await l->receive()) CHECK(l->send(std::move(*message)).ok());
        l->close();
        CHECK((co_await l->closed()).ok());
      };
      auto serve = [](weft::tcp_listener* listener, auto session) -> weft::task<> {
        co_await weft::with_scope(
            [](weft::tcp_listener* listener, auto session, weft::scope& sessions) -> weft::task<> {
              while (auto l = co_await listener->accept()) std::ignore = sessions.start(session(std::move(l)));
            },
            listener, session);
      };
      auto client = [](const stage* s, int number) -> weft::task<> {
        auto l = co_await s->connect();
        REQUIRE(l.ok());
        CHECK((*l)->send(std::to_string(number)).ok());
        auto got = co_await (*l)->receive();
        CHECK((got && *got == std::to_string(number)));
        (*l)->close();
        CHECK((co_await (*l)->closed()).ok());
      };
      const auto open_before = open_descriptors();
      auto server = sc.start(serve(s->listener, session));
      for (int round = 0; round < 20; ++round) {
        std::vector<weft::started<void>> clients;
        for (int i = 0; i < 100; ++i) clients.push_back(sc.start(client(s, 100 * round + i)));
        for (auto& c : clients) co_await std::move(c);
      }
      s->listener->close();
      co_await std::move(server);
      CHECK((co_await s->listener->closed()).ok());
      CHECK(open_descriptors().size() == open_before.size() - 1);  // the listener's
    });
    CHECK(open_descriptors() == descriptors_before);
    CHECK(threads() == threads_before);
  }

  TEST_CASE("links that are dropped without waiting leave nothing behind once the io has stopped") {
    const auto descriptors_before = open_descriptors();
    run([](stage* s, weft::scope&) -> weft::task<> {
      for (int i = 0; i < 200; ++i) {
        auto client = co_await s->connect();
        REQUIRE(client.ok());
        auto server = co_await s->listener->accept();
        for (int k = 0; k < i % 5; ++k) {
          CHECK((*client)->send(std::string(1'000, 'c')).ok());
          CHECK(server->send(std::string(1'000, 's')).ok());
        }
        for (int k = 0; k < i % 7; ++k) co_await weft::yield{};
      }
    });
    CHECK(open_descriptors() == descriptors_before);
  }
}

TEST_SUITE("tcp and the end of things") {
  TEST_CASE("an io that stops ends open links, listeners and attempts with UNAVAILABLE or null") {
    weft::runtime rt;
    auto net = std::make_unique<weft::io>();
    struct shared {
      std::atomic<bool> ready{false};
      std::atomic<bool> over{false};
    } at;
    auto body = [](weft::io* net, weft::strand* strand, shared* at) -> weft::task<> {
      auto listener = weft::tcp_listen(*net, *strand, "127.0.0.1:0");
      REQUIRE(listener.ok());
      auto client = co_await weft::tcp_connect(*net, *strand, (*listener)->address());
      auto server = co_await (*listener)->accept();
      at->ready = true;
      at->ready.notify_all();
      CHECK(co_await (*listener)->accept() == nullptr);
      auto none = co_await server->receive();
      CHECK_FALSE(none.has_value());
      CHECK(server->end().code() == weft::code::unavailable);
      CHECK((co_await server->closed()).ok());
      at->over.wait(false);  // now the io is gone: main never waits for this worker
      CHECK(server->send("nobody there").code() == weft::code::unavailable);
      CHECK_FALSE((*client)->open());
    };
    CHECK(weft::spawn(rt.control(), "body", body, net.get(), &rt.control(), &at));
    at.ready.wait(false);
    net.reset();
    at.over = true;
    at.over.notify_all();
    rt.stop();
  }

  TEST_CASE("a link made of a connection when the io has stopped ends at once") {
    weft::runtime rt;
    weft::io net;
    net.stop();
    auto body = [](weft::io* net, weft::strand* strand) -> weft::task<> {
      auto listener = weft::tcp_listen(*net, *strand, "127.0.0.1:0");
      REQUIRE(listener.ok());
      CHECK((co_await (*listener)->closed()).ok());
      CHECK(co_await (*listener)->accept() == nullptr);
      const auto client = co_await weft::tcp_connect(*net, *strand, (*listener)->address());
      CHECK(client.code() == weft::code::unavailable);
    };
    weft::sync_wait(rt, body(&net, &rt.control()));
  }

  TEST_CASE("the runtime may go before the io: links that still flush find nobody to tell") {
    weft::io net;
    for (int i = 0; i < 50; ++i) {
      weft::runtime rt;
      auto body = [](weft::runtime* rt, weft::io* net) -> weft::task<> {
        auto listener = weft::tcp_listen(*net, rt->control(), "127.0.0.1:0");
        REQUIRE(listener.ok());
        auto client = co_await weft::tcp_connect(*net, rt->control(), (*listener)->address());
        REQUIRE(client.ok());
        auto server = co_await (*listener)->accept();
        for (int k = 0; k < 100; ++k) {
          CHECK((*client)->send(std::string(2'000, 'c')).ok());
          CHECK(server->send(std::string(2'000, 's')).ok());
          if (k % 10 == 0) co_await weft::yield{};
        }
      };
      weft::sync_wait(rt, body(&rt, &net));
    }
  }

  TEST_CASE("without threads: a pumped runtime and a polled io") {
    weft::runtime rt{{.workers = 0}};
    weft::io net{{.thread = false}};
    bool over = false;
    auto body = [](weft::runtime* rt, weft::io* net, bool* over) -> weft::task<> {
      auto listener = weft::tcp_listen(*net, rt->control(), "127.0.0.1:0");
      REQUIRE(listener.ok());
      auto client = co_await weft::tcp_connect(*net, rt->control(), (*listener)->address());
      REQUIRE(client.ok());
      auto server = co_await (*listener)->accept();
      CHECK((*client)->send("hello").ok());
      auto got = co_await server->receive();
      CHECK((got && *got == "hello"));
      *over = true;
    };
    CHECK(weft::spawn(rt.control(), "body", body, &rt, &net, &over));
    while (!over) {
      rt.pump();
      net.poll();
    }
    rt.pump();
  }
}
