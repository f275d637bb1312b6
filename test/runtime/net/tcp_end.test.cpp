// What is left behind: nothing.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
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

TEST_SUITE("tcp and the end of things") {
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
