#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>
#include <weft/runtime/doorway.hpp>

TEST_SUITE("doorway") {
  TEST_CASE("it cannot be closed while somebody is on the way, and lets nobody in when it is") {
    weft::doorway d;
    CHECK(d.enter());
    CHECK(d.enter_late());
    CHECK_FALSE(d.try_close());
    d.leave();
    CHECK_FALSE(d.try_close());
    d.leave();
    CHECK(d.try_close());
    CHECK(d.try_close());
    CHECK_FALSE(d.enter());
    CHECK_FALSE(d.enter_late());
  }

  TEST_CASE("closing, it lets in who asks about what was taken, nothing new") {
    weft::doorway d;
    CHECK(d.enter());
    d.begin_closing();
    d.begin_closing();
    CHECK_FALSE(d.enter());
    CHECK(d.enter_late());
    CHECK_FALSE(d.try_close());
    d.leave();
    d.leave();
    CHECK(d.try_close());
    CHECK_FALSE(d.enter_late());
  }

  TEST_CASE("when it is closed nobody is inside, however many come and go, and who leaves last can close it") {
    for (int round = 0; round < 200; ++round) {
      weft::doorway d;
      std::atomic<bool> gone{false};
      std::atomic<int> seen_gone{0}, closed_by{0};
      const auto close = [&] {
        if (d.try_close()) {
          gone = true;
          ++closed_by;
        }
      };
      std::vector<std::thread> visitors;
      for (int v = 0; v < 3; ++v) {
        visitors.emplace_back([&, v] {
          for (int i = 0; v == 0 ? i < 50 && d.enter_late() : d.enter(); ++i) {
            if (gone) ++seen_gone;
            if (i == 100) d.begin_closing();
            d.leave();
            if (i >= 100) close();
          }
        });
      }
      for (auto& v : visitors) v.join();
      close();
      CHECK(seen_gone == 0);
      CHECK(closed_by >= 1);
    }
  }
}
