#include <doctest/doctest.h>

#include <memory>
#include <tuple>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>

#include "../support/echo_service.hpp"
#include "../support/ending.hpp"

using test::check_misuse;

TEST_SUITE("misuse of rpc") {
  TEST_CASE("the port of a server that has not started is unknown") {
    check_misuse(
        [] {
          weft::rpc_runtime rt;
          const weft::server server{rt};
          std::ignore = server.port();
        },
        "server::port or address: it has not started, or has fewer addresses");
  }

  TEST_CASE("a service is added to a server once") {
    check_misuse(
        [] {
          weft::rpc_runtime rt;
          test::echo_service service{rt, {.name = "echo"}};
          weft::server server{rt};
          server.add(service);
          server.add(service);
        },
        "server::add: service 'echo' was added before");
  }

  TEST_CASE("services are added before the server starts") {
    check_misuse(
        [] {
          weft::rpc_runtime rt;
          test::echo_service service{rt}, late{rt};
          weft::server server{rt};
          server.add(service);
          std::ignore = server.start();
          server.add(late);
        },
        "server::add after start: add every service before");
  }

  TEST_CASE("a service outlives the server that offers it") {
    check_misuse(
        [] {
          weft::rpc_runtime rt;
          auto service = std::make_unique<test::echo_service>(rt, weft::service_options{.name = "echo"});
          weft::server server{rt};
          server.add(*service);
          std::ignore = server.start();
          service.reset();
        },
        "service 'echo' was destroyed while a server offers it: stop the server first");
  }

  TEST_CASE("a runtime has one server") {
    check_misuse(
        [] {
          weft::rpc_runtime rt;
          const weft::server first{rt};
          const weft::server second{rt};
        },
        "a runtime has one server: add further services and addresses to that one");
  }
}
