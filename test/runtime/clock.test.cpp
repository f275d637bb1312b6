#include <doctest/doctest.h>

#include <weft/runtime/clock.hpp>

using namespace std::chrono_literals;

TEST_SUITE("clock") {
  TEST_CASE("saturating_add adds, takes a negative time for none, and ends at never") {
    const weft::time_point start{1h};
    CHECK(weft::saturating_add(start, 5ms) == start + 5ms);
    CHECK(weft::saturating_add(start, 0ms) == start);
    CHECK(weft::saturating_add(start, -5ms) == start);
    CHECK(weft::saturating_add(start, weft::duration::min()) == start);
    CHECK(weft::saturating_add(start, weft::duration::max()) == weft::never);
    CHECK(weft::saturating_add(start, weft::never - start) == weft::never);
    CHECK(weft::saturating_add(start, weft::never - start - 1ns) == weft::never - 1ns);
    CHECK(weft::saturating_add(weft::never, 1ns) == weft::never);
  }

  TEST_CASE("a manual clock moves only when told to") {
    weft::manual_clock clock;
    const auto begin = clock.now();
    CHECK(clock.now() == begin);
    clock.advance(3ms);
    CHECK(clock.now() == begin + 3ms);
  }

  TEST_CASE("the steady clock does not go back") {
    const weft::steady_clock clock;
    const auto first = clock.now();
    CHECK(clock.now() >= first);
  }
}
