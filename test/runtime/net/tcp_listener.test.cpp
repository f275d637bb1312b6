// Addresses, listening and connecting.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../../support/descriptors.hpp"
#include "../../support/tcp_stage.hpp"

using namespace std::chrono_literals;
using namespace test;

TEST_SUITE("tcp listener") {
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
}
