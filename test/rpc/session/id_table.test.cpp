#include <weft/rpc/session/id_table.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

#include "../../support/dice.hpp"

using test::dice;
using weft::detail::id_table;

TEST_SUITE("id_table") {
  TEST_CASE("holds what a map would hold") {
    for (std::uint64_t seed = 0; seed < 1'000; ++seed) {
      dice d{seed};
      id_table<int> table;
      std::map<std::uint64_t, int> model;
      const auto life = 1 + d.below(60);  // of most numbers; some stay far longer
      std::uint64_t last = d.one_in(4) ? ~std::uint64_t{0} - 2'000 : 0;
      for (int step = 0; step < 200; ++step) {
        if (d.below(100) < 55 || model.empty()) {
          last += 1 + (d.one_in(10) ? d.below(5) : 0);
          table.insert(last, step);
          model.emplace(last, step);
        } else {
          auto at = model.begin();
          if (!d.one_in(8)) std::advance(at, d.below(std::min<std::uint64_t>(model.size(), life)));
          int taken = -1;
          REQUIRE(table.take(at->first, taken));
          REQUIRE(taken == at->second);
          REQUIRE_FALSE(table.take(at->first, taken));
          model.erase(at);
        }
        REQUIRE(table.size() == model.size());
        const auto some = last - d.below(100);
        const auto* found = table.find(some);
        const auto expected = model.find(some);
        REQUIRE((found != nullptr) == (expected != model.end()));
        if (found != nullptr) REQUIRE(*found == expected->second);
      }
      std::map<std::uint64_t, int> all;
      table.for_each([&](std::uint64_t id, int value) { all.emplace(id, value); });
      REQUIRE(all == model);
    }
  }
  TEST_CASE("0 is no number") {
    id_table<int> table;
    CHECK(table.find(0) == nullptr);
    table.insert(1, 1);
    int taken = 0;
    CHECK(table.find(0) == nullptr);
    CHECK_FALSE(table.take(0, taken));
    CHECK(table.size() == 1);
  }
  TEST_CASE("numbers of the same place stand beside each other") {
    id_table<int> table;
    for (std::uint64_t id = 1; id <= 1 + 16 * 4; id += 16) table.insert(id, static_cast<int>(id));
    for (std::uint64_t id = 1; id <= 1 + 16 * 4; id += 16) {
      REQUIRE(table.find(id) != nullptr);
      CHECK(*table.find(id) == static_cast<int>(id));
    }
    int taken = 0;
    CHECK(table.take(1, taken));
    CHECK(table.find(1) == nullptr);
    CHECK(table.find(17) != nullptr);
  }
  TEST_CASE("what it held is the taker's") {
    id_table<std::shared_ptr<int>> table;
    table.insert(3, std::make_shared<int>(5));
    std::shared_ptr<int> taken;
    REQUIRE(table.take(3, taken));
    CHECK(*taken == 5);
    CHECK(taken.use_count() == 1);
  }
}
