// Links over TCP, and peers that misbehave.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <weft/runtime/scope.hpp>

#include "../../support/tcp_stage.hpp"

using namespace std::chrono_literals;
using namespace test;

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
}
