#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>
#include <weft/runtime/inbox.hpp>

namespace {

struct item final : weft::work {
  void run() noexcept override {}
  int producer = 0;
  int number = 0;
};

}  // namespace

TEST_SUITE("inbox") {
  TEST_CASE("work comes out oldest first") {
    weft::inbox box;
    item a, b, c;
    box.push(a);
    box.push(b);
    box.push(c);
    auto* w = box.take_all();
    CHECK(w == &a);
    CHECK(w->next == &b);
    CHECK(w->next->next == &c);
    CHECK(box.empty());
  }

  TEST_CASE("only the first push to a sleeper has to wake it") {
    weft::inbox box;
    item a, b;
    REQUIRE(box.try_sleep());
    CHECK(box.push(a) == weft::inbox::pushed::must_wake);
    CHECK(box.push(b) == weft::inbox::pushed::queued);
  }

  TEST_CASE("a worker with work queued may not sleep") {
    weft::inbox box;
    item a;
    box.push(a);
    CHECK_FALSE(box.try_sleep());
  }

  TEST_CASE("a closed inbox hands out what was queued and refuses the rest") {
    weft::inbox box;
    item a, b;
    box.push(a);
    CHECK(box.close() == &a);
    CHECK(box.push(b) == weft::inbox::pushed::refused);
  }

  TEST_CASE("producers and a consumer that sleeps lose nothing and keep each producer's order") {
    constexpr int producers = 3, each = 30'000;
    weft::inbox box;
    std::atomic<int> wakes{0};
    std::vector<std::thread> threads;
    for (int p = 0; p < producers; ++p) {
      threads.emplace_back([&, p] {
        for (int i = 0; i < each; ++i) {
          auto* it = new item;
          it->producer = p;
          it->number = i;
          if (box.push(*it) == weft::inbox::pushed::must_wake) {
            wakes.fetch_add(1);
            wakes.notify_one();
          }
        }
      });
    }
    std::vector<int> last(producers, -1);
    int seen = 0, woken = 0;
    bool in_order = true;
    while (seen < producers * each) {
      for (auto* w = box.take_all(); w != nullptr;) {
        std::unique_ptr<item> it{static_cast<item*>(w)};
        w = w->next;
        auto& l = last[static_cast<std::size_t>(it->producer)];
        in_order = in_order && it->number == l + 1;
        l = it->number;
        ++seen;
      }
      if (seen < producers * each && box.try_sleep()) {
        wakes.wait(woken);  // a lost wake-up hangs here
        ++woken;
        box.awake();
      }
    }
    for (auto& t : threads) t.join();
    CHECK(in_order);
    CHECK(wakes == woken);
  }
}
