#pragma once
#include <doctest/doctest.h>

#include <utility>
#include <weft/runtime/sync_wait.hpp>
#include <weft/test/world.hpp>

namespace test {

/// `weft::test::world` under the names of tests that are older than it, with a clock that a test may move by hand.
class virtual_time : public weft::test::world {
 public:
  using weft::test::detail::world_parts::clock;
  weft::runtime& rt = *this;
};

}  // namespace test
