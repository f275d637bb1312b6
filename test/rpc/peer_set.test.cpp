#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>
#include <weft/rpc/peer_set.hpp>
#include <weft/rpc/rpc_runtime.hpp>

#include "../support/two_sides.hpp"

namespace {

constexpr std::uint64_t keys = 10'000;

std::string address(int n) { return "127.0.0.1:" + std::to_string(10'000 + n); }

std::vector<std::string> addresses(int count) {
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) all.push_back(address(i));
  return all;
}

std::vector<std::string> where(const weft::peer_set& s) {
  std::vector<std::string> all;
  for (std::uint64_t key = 0; key < keys; ++key) all.push_back(s.at(key)->address());
  return all;
}

}  // namespace

TEST_SUITE("peer set") {
  TEST_CASE("keys are spread evenly, and found by whoever has the list in whatever order") {
    weft::rpc_runtime rt;
    const weft::peer_set here{rt, addresses(5)},
        there{rt, {address(3), address(0), address(4), address(2), address(1), address(1)}};
    CHECK(where(here) == where(there));
    std::map<std::string, std::uint64_t> share;
    for (const auto& a : where(here)) ++share[a];
    for (const auto& [a, count] : share) {
      CAPTURE(a);
      CHECK(count > keys / 5 * 9 / 10);
      CHECK(count < keys / 5 * 11 / 10);
    }
    CHECK(share.size() == 5);
    CHECK(here.at("room-7")->address() == there.at("room-7")->address());
  }

  TEST_CASE("when an address comes or goes only its keys move") {
    weft::rpc_runtime rt;
    weft::peer_set s{rt, addresses(4)};
    const auto four = where(s);
    s.set_addresses(addresses(5));
    const auto five = where(s);
    std::uint64_t moved = 0;
    for (std::size_t i = 0; i < four.size(); ++i) {
      if (four[i] == five[i]) continue;
      ++moved;
      CHECK(five[i] == address(4));
    }
    CHECK(moved > keys / 5 * 9 / 10);
    CHECK(moved < keys / 5 * 11 / 10);
    s.set_addresses(addresses(4));
    CHECK(where(s) == four);
  }

  TEST_CASE("peers of addresses that stay stay, and one that goes lives while it is held") {
    weft::rpc_runtime rt;
    weft::peer_set s{rt, addresses(2)};
    const auto stays = s.at(std::uint64_t{1});
    s.set_addresses({stays->address()});
    CHECK(s.at(std::uint64_t{1}) == stays);
    CHECK(s.addresses() == std::vector{stays->address()});
    s.set_addresses({});
    CHECK(s.at(std::uint64_t{1}) == nullptr);
    CHECK(stays->problem().ok());
  }

  TEST_CASE("the hash is what it always was") {
    weft::rpc_runtime rt;
    const weft::peer_set s{rt, addresses(5)};
    std::string found;
    for (const char* key : {"room-1", "room-2", "room-3", "room-4"}) found += s.at(key)->address().back();
    for (std::uint64_t key = 1; key < 5; ++key) found += s.at(key)->address().back();
    CHECK(found == "30431344");
  }

  TEST_CASE("calls go to the process that has the key") {
    test::two_sides f;
    const weft::peer_set s{f.client, {f.server.address()}};
    CHECK(f.say_to(*s.at("any"), "hi").ok());
  }
}
