#include <doctest/doctest.h>
#include <poll.h>
#include <unistd.h>

#include <sstream>
#include <thread>
#include <weft/bench/rpc/measure.hpp>

using namespace std::chrono_literals;
using weft::bench::closed_loop;
using weft::bench::latency_histogram;
using weft::bench::row_of;
using weft::bench::run_result;
using weft::bench::spread_of;

TEST_SUITE("measure") {
  TEST_CASE("a percentile of few small latencies is exact") {
    latency_histogram h;
    for (int i = 1; i <= 100; ++i) h.add(std::chrono::nanoseconds{i});
    CHECK(h.percentile(50) == 50ns);
    CHECK(h.percentile(99) == 99ns);
    CHECK(h.percentile(100) == 100ns);
  }

  TEST_CASE("a percentile of large latencies is at most a 64th off") {
    for (const auto latency : std::initializer_list<std::chrono::nanoseconds>{200ns, 7us, 123us, 45ms, 17s, 10min}) {
      latency_histogram h;
      h.add(latency);
      const auto off = std::chrono::abs(h.percentile(50) - latency);
      CHECK(off.count() * 64 <= latency.count());
    }
  }

  TEST_CASE("a histogram without latencies has percentiles of zero") {
    CHECK(latency_histogram{}.percentile(99) == 0ns);
  }

  TEST_CASE("the p99 shows one slow call in fifty and hides one in a thousand") {
    latency_histogram often, seldom;
    for (int i = 0; i < 1'000; ++i) {
      often.add(i % 50 == 0 ? 10ms : 100us);
      seldom.add(i == 0 ? 10ms : 100us);
    }
    CHECK(often.percentile(99) > 9ms);
    CHECK(seldom.percentile(99) < 110us);
  }

  TEST_CASE("a median is the middle, or between the two in the middle") {
    CHECK(spread_of({3, 1, 2}).median == 2);
    CHECK(spread_of({4, 1, 3, 2}).median == 2.5);
    CHECK(spread_of({3, 1, 2}).min == 1);
    CHECK(spread_of({3, 1, 2}).max == 3);
  }

  TEST_CASE("a row is void when one of its rounds is") {
    const run_result good{.calls = 100, .seconds = 1, .error = {}};
    const run_result bad{.errors = 1, .error = "refused"};
    CHECK_FALSE(row_of("x", false, 1, {good, good}).error);
    CHECK(row_of("x", false, 1, {good, bad, good}).error == "refused");
    CHECK(row_of("x", false, 1, {good, good}).calls_per_second.median == 100);
  }

  TEST_CASE("what a process did counts the wake-ups of all its threads") {
    const auto before = weft::bench::work_of(getpid());
    weft::bench::process_work after;
    std::jthread sleeper{[&after] {
      for (int i = 0; i < 20; ++i) poll(nullptr, 0, 1);
      after = weft::bench::work_of(getpid());  // while this thread is there: one that has ended counts no more
    }};
    sleeper.join();
    CHECK(after.wake_ups - before.wake_ups >= 20);
    CHECK(after.cpu > before.cpu);
  }

  TEST_CASE("a process knows its children") {
    weft::bench::child_process child{{"--version"}};
    CHECK(weft::bench::children_of(getpid()) == std::vector<pid_t>{child.pid()});
    child.stop();
    CHECK(weft::bench::children_of(getpid()).empty());
  }

  TEST_CASE("a round's line reads back as what was written") {
    const run_result r{.calls = 7,
                       .seconds = 0.25,
                       .p50_us = 1.5,
                       .p99_us = 9,
                       .cpu_us_client = 2,
                       .cpu_us_server = 3,
                       .wire_bytes = 240.5,
                       .allocations_client = 4,
                       .allocations_server = 6.5,
                       .error = {}};
    const auto back = weft::bench::run_result_from_line(weft::bench::to_line(r));
    CHECK(back.calls == 7);
    CHECK(back.seconds == 0.25);
    CHECK(back.p99_us == 9);
    CHECK(back.wire_bytes == 240.5);
    CHECK(back.allocations_client == 4);
    CHECK(back.allocations_server == 6.5);
    CHECK(back.errors == 0);
    CHECK_THROWS_AS(weft::bench::run_result_from_line("port 80"), std::runtime_error);
  }

  TEST_CASE("a failed call ends a closed loop and voids its round") {
    closed_loop loop{{.warm_up = 1h, .measured = 1h}};
    auto began = closed_loop::clock::now();
    CHECK(loop.succeeded(began));
    loop.failed("refused");
    CHECK_FALSE(loop.succeeded(began));
    CHECK(loop.result().errors == 1);
    CHECK(loop.result().error == "refused");
  }
}
