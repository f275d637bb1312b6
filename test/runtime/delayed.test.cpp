#include <doctest/doctest.h>

#include <chrono>
#include <tuple>
#include <utility>
#include <weft/runtime/delayed.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/test/world.hpp>

using namespace std::chrono_literals;

namespace {

weft::task<> note(int* played) {
  ++*played;
  co_return;
}

// What a table sees of a turn's time limit of 15 s.
template <class F>
void with_turn(F f) {
  weft::test::world w;
  int played = 0;
  w.run(weft::with_scope(
      [](F f, int* played, weft::scope& s) -> weft::task<> {
        auto turn = s.after(15s, &note, played);
        co_await f(turn, *played);
        s.stop();
      },
      f, &played));
}

}  // namespace

TEST_SUITE("delayed") {
  TEST_CASE("it starts when its time is over, and tells what remains until then") {
    with_turn([](weft::delayed& turn, int& played) -> weft::task<> {
      CHECK(turn.remaining() == 15s);
      std::ignore = co_await weft::sleep_for(10s);
      CHECK(turn.remaining() == 5s);
      CHECK(played == 0);
      std::ignore = co_await weft::sleep_for(6s);
      CHECK(played == 1);
      CHECK(turn.remaining() == 0s);
      CHECK(turn.done());
    });
  }

  TEST_CASE("extended it starts later, or earlier by a negative time; once it has started it is too late") {
    with_turn([](weft::delayed& turn, int& played) -> weft::task<> {
      CHECK(turn.extend(10s));
      CHECK(turn.extend(-5s));
      std::ignore = co_await weft::sleep_for(19s);
      CHECK(played == 0);
      CHECK(turn.remaining() == 1s);
      std::ignore = co_await weft::sleep_for(2s);
      CHECK(played == 1);
      CHECK_FALSE(turn.extend(1s));
      turn.pause();
      turn.resume();
      std::ignore = co_await weft::sleep_for(1h);
      CHECK(played == 1);
    });
  }

  TEST_CASE("an extension into the past starts it at once") {
    with_turn([](weft::delayed& turn, int& played) -> weft::task<> {
      CHECK(turn.extend(-1h));
      CHECK(turn.remaining() == 0s);
      std::ignore = co_await weft::sleep_for(2ms);
      CHECK(played == 1);
    });
  }

  TEST_CASE("while it is paused its time stands still") {
    with_turn([](weft::delayed& turn, int& played) -> weft::task<> {
      std::ignore = co_await weft::sleep_for(10s);
      turn.pause();
      turn.pause();
      std::ignore = co_await weft::sleep_for(1h);
      CHECK(turn.remaining() == 5s);
      CHECK(turn.extend(1s));
      turn.resume();
      turn.resume();
      std::ignore = co_await weft::sleep_for(5s);
      CHECK(played == 0);
      std::ignore = co_await weft::sleep_for(2s);
      CHECK(played == 1);
    });
  }

  TEST_CASE("stopped it does not start, paused or not") {
    for (const bool paused : {false, true}) {
      with_turn([paused](weft::delayed& turn, int& played) -> weft::task<> {
        auto stop = [](bool paused, weft::delayed& turn, int& played) -> weft::task<> {
          if (paused) turn.pause();
          turn.stop();
          CHECK_FALSE(turn.extend(1s));
          std::ignore = co_await weft::sleep_for(1h);
          CHECK(turn.done());
          CHECK(played == 0);
        };
        return stop(paused, turn, played);
      });
    }
  }

  TEST_CASE("awaited it ends with what it started") {
    with_turn([](weft::delayed& turn, int& played) -> weft::task<> {
      co_await std::move(turn);
      CHECK(played == 1);
    });
  }

  TEST_CASE("a paused one does not outlive its scope") {
    weft::test::world w;
    int played = 0;
    w.run(weft::with_scope(
        [](int* played, weft::scope& s) -> weft::task<> {
          auto turn = s.after(15s, &note, played);
          turn.pause();
          s.stop();
          co_return;
        },
        &played));
    CHECK(played == 0);
  }
}
