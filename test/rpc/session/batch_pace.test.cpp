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

// Reads the portions of a batch of replies from one reply to another.
void read(batch_pace& pace, std::size_t from, std::size_t to, std::size_t replies) {
  for (auto at = from; at != to; at += batch_pace::portion)
    pace.read(replies, replies - at - batch_pace::portion, some);
}

// With the replies up to `full` a share is full, and not before; it is written.
void check_share(batch_pace& pace, std::size_t from, std::size_t full, std::size_t replies) {
  read(pace, from, full - batch_pace::portion, replies);
  CHECK(pace.to_write(some, start) == when::later);
  read(pace, full - batch_pace::portion, full, replies);
  CHECK(pace.to_write(some, start) == when::now);
  pace.written();
}

// A whole batch of replies, whose calls wait: how many go alone while it is read.
std::size_t written_alone(batch_pace& pace, std::size_t replies) {
  std::size_t alone = 0;
  for (std::size_t at = 0; at + batch_pace::portion < replies; at += batch_pace::portion) {
    read(pace, at, at + batch_pace::portion, replies);
    if (pace.to_write(some, start) != when::now) continue;
    alone = at + batch_pace::portion;
    pace.written();
  }
  pace.ended();
  return alone;
}

}  // namespace

TEST_SUITE("batch_pace") {
  TEST_CASE("what is said while nothing is read is written at once") {
    batch_pace pace;
    CHECK(pace.to_write(1, start) == when::now);
    pace.begins(1, 0);
    pace.ended();
    CHECK(pace.to_write(1, start) == when::now);
  }
  TEST_CASE("what is said while a batch is read waits for its end") {
    batch_pace pace;
    pace.begins(0, 0);
    pace.read(0, 0, some);
    CHECK(pace.to_write(some, start) == when::later);
    pace.ended();
    CHECK(pace.to_write(some, start) == when::now);
  }
  TEST_CASE("a small batch behind a long one waits for the events that are there") {
    batch_pace pace;
    pace.begins(0, 0);
    pace.read(0, 0, some);
    pace.ended();
    CHECK(pace.to_write(100, start) == when::after_events);
    pace.written();
    CHECK(pace.to_write(100, start) == when::now);
  }
  TEST_CASE("what is much does not wait while as much is to be read") {
    constexpr std::size_t much = 16U << 10U;
    batch_pace pace;
    pace.begins(0, 0);
    pace.read(0, 0, much);
    CHECK(pace.to_write(much - 1, start) == when::later);
    CHECK(pace.to_write(much, start) == when::now);
    pace.written();
    pace.read(0, 0, much - 1);
    CHECK(pace.to_write(much, start) == when::later);  // the rest would be a small batch
  }
  TEST_CASE("nothing waits for longer than half a millisecond") {
    batch_pace pace;
    pace.begins(0, 0);
    pace.read(0, 0, some);
    CHECK(pace.to_write(1, start) == when::later);
    CHECK(pace.to_write(1, start + 499us) == when::later);
    CHECK(pace.to_write(1, start + 500us) == when::now);
    pace.written();
    CHECK(pace.to_write(1, start + 501us) == when::later);
  }
  TEST_CASE("when all calls are answered in one batch the first half is written alone") {
    batch_pace pace;
    pace.begins(64, 0);
    CHECK(written_alone(pace, 64) == 32);
    CHECK(pace.to_write(some, start) == when::now);
  }
  TEST_CASE("of many calls a third is written alone, and again") {
    batch_pace pace;
    pace.begins(384, 0);
    check_share(pace, 0, 128, 384);
    check_share(pace, 128, 256, 384);
    read(pace, 256, 376, 384);
    CHECK(pace.to_write(some, start) == when::later);
    pace.ended();
    CHECK(pace.to_write(some, start) == when::now);
  }
  TEST_CASE("less than half of a share waits for the events that are there, and is written with what they bring") {
    batch_pace pace;
    pace.begins(384, 0);
    CHECK(written_alone(pace, 56) == 0);
    CHECK(pace.to_write(some, start) == when::after_events);
    pace.begins(384, some);
    CHECK(pace.to_write(some, start) == when::later);
    check_share(pace, 0, 72, 200);
    read(pace, 72, 192, 200);
    CHECK(pace.to_write(some, start) == when::later);
    pace.ended();
    CHECK(pace.to_write(some, start) == when::now);
  }
  TEST_CASE("a batch that would leave less than half of a share is not divided, nor one of few calls") {
    for (const auto& [replies, out] :
         {std::pair{40, 64}, std::pair{128, 384}, std::pair{184, 384}, std::pair{40, 40}}) {
      CAPTURE(replies);
      batch_pace pace;
      pace.begins(static_cast<std::size_t>(out), 0);
      CHECK(written_alone(pace, static_cast<std::size_t>(replies)) == 0);
      CHECK(pace.to_write(some, start) == when::now);
    }
  }
  TEST_CASE("replies that set off nothing are not counted") {
    batch_pace pace;
    pace.begins(384, 0);
    CHECK(written_alone(pace, 120) == 0);
    pace.begins(264, 0);
    CHECK(written_alone(pace, 120) == 0);
  }
  TEST_CASE("answers do not wait for a share of calls, and nothing does for longer than half a millisecond") {
    batch_pace pace;
    pace.begins(384, 0);
    pace.read(0, 0, some);
    pace.ended();
    CHECK(pace.to_write(some, start) == when::now);
    pace.written();
    pace.begins(384, 0);
    CHECK(written_alone(pace, 56) == 0);
    CHECK(pace.to_write(some, start + 499us) == when::after_events);
    CHECK(pace.to_write(some, start + 500us) == when::now);
  }
  TEST_CASE("a short batch does not wait for others, however many calls are out") {
    batch_pace pace;
    pace.begins(384, 0);
    pace.ended();
    CHECK(pace.to_write(1, start) == when::now);
  }
}
