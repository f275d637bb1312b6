#include "lobby/latency.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace std::chrono_literals;
using lobby::latency;

TEST_CASE("percentiles of short times are exact to a microsecond") {
  latency l;
  for (int us = 1; us <= 100; ++us) l.record(std::chrono::microseconds{us});
  CHECK(l.count() == 100);
  CHECK(l.percentile(0.5) == 50us);
  CHECK(l.percentile(0.99) == 99us);
  CHECK(l.percentile(1) == 100us);
  CHECK(l.percentile(0) == 1us);
}

TEST_CASE("percentiles of long times are rounded up by less than a hundredth") {
  for (const weft::duration took : {weft::duration{128us}, weft::duration{1ms}, weft::duration{200'123us},
                                    weft::duration{7s}, weft::duration{26h}}) {
    latency l;
    l.record(took);
    CHECK(l.percentile(0.5) >= took);
    CHECK(l.percentile(0.5) < took + took / 100);
  }
}

TEST_CASE("what took longer than three days counts as three days") {
  latency l;
  l.record(24h * 300);
  CHECK(l.percentile(1) > 72h);
  CHECK(l.percentile(1) < 80h);
}

TEST_CASE("a percentile of nothing is zero") { CHECK(latency{}.percentile_ms(0.99) == 0); }

TEST_CASE("one slow record in a hundred shows above p99 only") {
  latency l;
  for (int i = 0; i < 99; ++i) l.record(1ms);
  l.record(1s);
  CHECK(l.percentile_ms(0.99) < 1.1);
  CHECK(l.percentile_ms(0.999) >= 1000);
}
