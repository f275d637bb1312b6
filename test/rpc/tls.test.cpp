#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <weft/rpc/tls.hpp>
#include <weft/runtime/sleep.hpp>

#include "../support/certificates.hpp"
#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::certificates;
using test::two_sides;
namespace fs = std::filesystem;

namespace {

weft::code code_of_call(two_sides& f, const std::optional<weft::client_tls>& tls) {
  weft::peer peer{f.client, f.server.address(), {.tls = tls}};
  return f.say_to(peer, "hi").code();
}

}  // namespace

TEST_SUITE("tls") {
  TEST_CASE("calls and streams go through TLS") {
    const certificates files;
    two_sides f{{.tls = files.server()}, {.tls = files.client()}};
    const auto reply = f.say("hi");
    REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(reply->text() == "hi");
    CHECK(reply->identity().empty());
    const auto end = weft::sync_wait(f.client, [](test::v1::Echo::client echo) -> weft::task<weft::status> {
      auto talk = echo.Talk();
      test::v1::EchoRequest request;
      request.set_text("hello");
      CHECK((co_await talk.write(std::move(request))).ok());
      const auto said = co_await talk.read();
      CHECK((said && said->text() == "hello"));
      co_return co_await talk.finish();
    }(test::v1::Echo::client{*f.peer}));
    CHECK(end.ok());
  }

  TEST_CASE("a client that does not know the server's authority, or expects another name, or speaks plain text, is "
            "UNAVAILABLE") {
    const certificates files;
    two_sides f{{.tls = files.server()}, {.tls = files.client()}};
    auto stranger = files.client();
    stranger.authorities = files / "other_ca.pem";
    CHECK(code_of_call(f, stranger) == weft::code::unavailable);
    auto misnamed = files.client();
    misnamed.server_name = "elsewhere.example";
    CHECK(code_of_call(f, misnamed) == weft::code::unavailable);
    auto named = files.client();
    named.server_name = "foo.test.google.fr";
    CHECK(code_of_call(f, named) == weft::code::ok);
    CHECK(code_of_call(f, std::nullopt) == weft::code::unavailable);
    CHECK(code_of_call(f, weft::client_tls{}) == weft::code::unavailable);  // the system's authorities
    CHECK(f.say("still there").ok());
  }

  TEST_CASE("with mTLS a handler knows the client by its certificate, and others are not let in") {
    const certificates files;
    two_sides f{{.tls = files.mutual_server()}, {.tls = files.client_as("client")}};
    const auto reply = f.say("hi");
    REQUIRE_MESSAGE(reply.ok(), reply.status());
    CHECK(reply->identity() == "spiffe://test/client");
    CHECK(code_of_call(f, files.client()) == weft::code::unavailable);
    CHECK(code_of_call(f, files.client_as("other_client")) == weft::code::unavailable);
    f.server.stop();
    CHECK(f.service.begun == 1);
  }

  TEST_CASE("a certificate that was renewed is used by new connections") {
    const certificates first, second;
    const auto current = first.folder / "current";
    const auto point_to = [&](const fs::path& folder) {
      fs::create_directory_symlink(folder, first.folder / "next");
      fs::rename(first.folder / "next", current);
    };
    point_to(first.folder);
    two_sides f{
        {.tls = weft::server_tls{.certificate = current / "server.pem", .key = current / "server.key", .reread = 1s}},
        {.tls = first.client()}};
    CHECK(f.say("hi").ok());
    CHECK(code_of_call(f, second.client()) == weft::code::unavailable);
    point_to(second.folder);
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (code_of_call(f, second.client()) != weft::code::ok) REQUIRE(std::chrono::steady_clock::now() < until);
    CHECK(code_of_call(f, first.client()) == weft::code::unavailable);
  }

  TEST_CASE("a file that is missing, or is no such thing, is named") {
    const certificates files;
    const auto why = [](weft::server_tls tls) {
      weft::rpc_runtime rt;
      weft::server s{rt, {.tls = std::move(tls)}};
      return s.start();
    };
    auto missing = files.server();
    missing.key = files / "no.key";
    CHECK(why(missing) ==
          weft::invalid_argument("tls: cannot read key '" + missing.key + "': No such file or directory"));
    auto swapped = files.server();
    std::swap(swapped.key, swapped.certificate);
    CHECK(why(swapped) ==
          weft::invalid_argument("tls: certificate '" + swapped.certificate + "' is no PEM file of one"));
    auto half = files.server();
    half.key.clear();
    CHECK(why(half).code() == weft::code::invalid_argument);
    auto wrong_authorities = files.mutual_server();
    wrong_authorities.client_authorities = files / "server.key";
    CHECK(why(wrong_authorities) == weft::invalid_argument("tls: authorities '" + wrong_authorities.client_authorities +
                                                           "' is no PEM file of one"));
  }
}
