// When a session writes what it has to say.
#include <weft/rpc/session/batch_pace.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <utility>
#include <weft/runtime/clock.hpp>

using namespace std::chrono_literals;
using weft::detail::batch_pace;
using when = weft::detail::batch_pace::when;

namespace {

constexpr weft::time_point start{1h};
constexpr std::size_t some = 2'000;  // bytes that wait: no small batch, and not much

// Reads that many portions of a batch.
void read(batch_pace& pace, std::size_t portions, std::size_t replies, std::size_t left) {
  for (; portions != 0; --portions) pace.read(replies, left);
}

}  // namespace

TEST_SUITE("batch_pace") {
  TEST_CASE("what is said while nothing is read is written at once") {
    batch_pace pace;
    CHECK(pace.to_write(1, start) == when::now);
    pace.begins(1);
    pace.ended();
    CHECK(pace.to_write(1, start) == when::now);
  }
  TEST_CASE("what is said while a batch is read waits for its end") {
    batch_pace pace;
    pace.begins(0);
    pace.read(0, some);
    CHECK(pace.to_write(some, start) == when::later);
    pace.ended();
    CHECK(pace.to_write(some, start) == when::now);
  }
  TEST_CASE("a small batch behind a long one waits for the events that are there") {
    batch_pace pace;
    pace.begins(0);
    pace.read(0, some);
    pace.ended();
    CHECK(pace.to_write(100, start) == when::after_events);
    pace.written();
    CHECK(pace.to_write(100, start) == when::now);
  }
  TEST_CASE("what is much does not wait while as much is to be read") {
    constexpr std::size_t much = 16U << 10U;
    batch_pace pace;
    pace.begins(0);
    pace.read(0, much);
    CHECK(pace.to_write(much - 1, start) == when::later);
    CHECK(pace.to_write(much, start) == when::now);
    pace.written();
    pace.read(0, much - 1);
    CHECK(pace.to_write(much, start) == when::later);  // the rest would be a small batch
  }
  TEST_CASE("nothing waits for longer than half a millisecond") {
    batch_pace pace;
    pace.begins(0);
    pace.read(0, some);
    CHECK(pace.to_write(1, start) == when::later);
    CHECK(pace.to_write(1, start + 499us) == when::later);
    CHECK(pace.to_write(1, start + 500us) == when::now);
    pace.written();
    CHECK(pace.to_write(1, start + 501us) == when::later);
  }
  TEST_CASE("when all calls are answered in one batch the first half is written alone") {
    batch_pace pace;
    pace.begins(64);
    read(pace, 3, 64, some);
    CHECK(pace.to_write(some, start) == when::later);
    pace.read(64, some);
    CHECK(pace.to_write(some, start) == when::now);
    pace.written();
    read(pace, 3, 64, some);
    CHECK(pace.to_write(some, start) == when::later);
    pace.ended();
    CHECK(pace.to_write(some, start) == when::now);
  }
  TEST_CASE("of many calls a batch is halved that answers half of those that are out") {
    batch_pace pace;
    pace.begins(256);
    read(pace, 7, 128, some);
    CHECK(pace.to_write(some, start) == when::later);
    pace.read(128, some);
    CHECK(pace.to_write(some, start) == when::now);
  }
  TEST_CASE("a batch that answers few of the calls that are out is not halved, nor a small one") {
    for (const auto& [replies, out] :
         {std::pair{64, 128}, std::pair{127, 254}, std::pair{64, 256}, std::pair{40, 40}}) {
      CAPTURE(replies);
      batch_pace pace;
      pace.begins(static_cast<std::size_t>(out));
      for (int read = 8; read < replies; read += 8) {
        pace.read(static_cast<std::size_t>(replies), some);
        CHECK(pace.to_write(some, start) == when::later);
      }
    }
  }
}
