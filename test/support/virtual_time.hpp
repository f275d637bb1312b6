#pragma once
#include <doctest/doctest.h>

#include <utility>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/sync_wait.hpp>

namespace test {

/// A runtime without threads whose clock jumps to the next timer when nothing else is left to do.
class virtual_time {
 public:
  /// Runs `t` to its end. Fails the test when nothing is left that could end it.
  template <class T>
  T run(weft::task<T> t) {
    weft::detail::waited<T> root{rt.control(), nullptr, "test"};
    REQUIRE(root.start(std::move(t)));
    while (!root.done()) {
      const auto left = rt.pump();
      if (left.more || root.done()) continue;
      REQUIRE_MESSAGE(left.next_timer != weft::never, "everything waits and no timer is armed");
      if (left.next_timer > clock.now()) clock.advance(left.next_timer - clock.now());
    }
    return root.take();
  }

  weft::manual_clock clock;
  weft::runtime rt{{.workers = 0, .time = &clock}};
};

}  // namespace test
