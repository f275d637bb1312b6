// A connection whose packets are dropped, so that neither side is told that it is gone.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/program.hpp"
#include "../support/skip.hpp"

using test::program;

namespace {

constexpr const char* ip = "/usr/sbin/ip";
constexpr const char* nft = "/usr/sbin/nft";

bool runs(std::vector<std::string> command) { return program{std::move(command)}.end().code == 0; }

/// A network of its own, with a loopback device that can be told to drop what goes over TCP.
class network {
 public:
  ~network() {
    if (made_) runs({ip, "netns", "delete", name_});
  }
  /// False where that is not permitted.
  bool make() {
    made_ = runs({ip, "netns", "add", name_});
    return made_ && runs(inside({ip, "link", "set", "lo", "up"})) && runs(inside({nft, "add table inet faults"})) &&
           runs(inside({nft, "add chain inet faults in { type filter hook input priority 0; }"}));
  }
  void drop() const { REQUIRE(runs(inside({nft, "add rule inet faults in meta l4proto tcp drop"}))); }
  void drop_nothing() const { REQUIRE(runs(inside({nft, "flush chain inet faults in"}))); }

  std::vector<std::string> inside(std::vector<std::string> command) const {
    std::vector<std::string> all{ip, "netns", "exec", name_};
    all.insert(all.end(), command.begin(), command.end());
    return all;
  }

 private:
  std::string name_ = "weft-faults-" + std::to_string(getpid());
  bool made_ = false;
};

}  // namespace

TEST_SUITE("faults: a half-open connection") {
  TEST_CASE("calls over a connection whose packets are dropped end by keepalive, and work again when they are not") {
    if (!std::filesystem::exists(ip) || !std::filesystem::exists(nft))
      WEFT_SKIP("iproute2 or nftables is not installed");
    network n;
    if (!n.make()) WEFT_SKIP("a network namespace with nftables is not permitted");
    program server{n.inside({ECHO_PROGRAM, "serve", "127.0.0.1:0", "0"})};
    program client{n.inside({ECHO_PROGRAM, "call", server.line()})};
    const auto call = [&](std::string_view how) {
      client.say(how);
      const auto answer = client.line();
      return answer.substr(0, answer.find(' '));
    };
    REQUIRE(call("say\n") == "OK");
    client.say("hold\n");
    REQUIRE(client.line() == "held");
    n.drop();
    std::istringstream ended{client.line()};
    std::string unary, stream;
    int after_ms = 0;
    ended >> unary >> stream >> after_ms;
    CHECK(unary == "UNAVAILABLE");
    CHECK(stream == "UNAVAILABLE");
    CHECK(after_ms < 20'000);  // a ping each second, a second for its answer; their limit is 60 s
    CHECK(call("say\n") != "OK");
    n.drop_nothing();
    CHECK(call("wait\n") == "OK");
    CHECK(client.end().code == 0);
    server.signal(SIGTERM);
    CHECK(server.wait().code == 0);
  }
}
