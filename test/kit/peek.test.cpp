#include <doctest/doctest.h>

#include <chrono>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/peek.hpp>
#include <weft/test/world.hpp>

using namespace std::chrono_literals;
using weft::test::peek;
using weft::test::world;

namespace {

struct table : weft::service {
  explicit table(weft::runtime& rt) : service{rt, {.name = "table"}} {}
  ~table() override { stop_and_wait(weft::stop_mode::abort); }

  int turn() const {
    assert_here();
    return turn_;
  }
  void next() {
    assert_here();
    ++turn_;
  }

 private:
  int turn_ = 1;
};

weft::task<int> look_from_outside(table* t) {
  static_cast<void>(co_await t->call([t] { t->next(); }));
  co_return peek(*t, [t] { return t->turn(); });
}

}  // namespace

TEST_SUITE("peek") {
  TEST_CASE("peek looks at a service on its strand, before anything else runs") {
    world w;
    table t{w};
    peek(t, [&] { t.next(); });
    CHECK(peek(t, [&] { return t.turn(); }) == 2);
    CHECK(peek(t.strand(), [&] { return t.strand().running_here(); }));
    CHECK_FALSE(t.strand().running_here());
  }

  TEST_CASE("peek works from a task of the world") {
    world w;
    table t{w};
    CHECK(w.run(look_from_outside(&t)) == 2);
  }

  TEST_CASE("what peek starts runs later") {
    world w;
    table t{w};
    int ran = 0;
    peek(t, [&] { REQUIRE(t.send([&] { ++ran; }).ok()); });
    CHECK(ran == 0);
    w.settle();
    CHECK(ran == 1);
  }

  TEST_CASE("peek throws what its function throws") {
    world w;
    table t{w};
    CHECK_THROWS_AS(peek(t, []() -> int { throw 1; }), int);
    CHECK_FALSE(t.strand().running_here());
  }
}
