#include <doctest/doctest.h>

#include <string>
#include <weft/runtime/metadata.hpp>

TEST_SUITE("metadata") {
  TEST_CASE("entries keep their order, and a key may come several times") {
    weft::metadata m;
    m.add("room", "7").add("player", "ann").add("room", "8");
    CHECK(m.size() == 3);
    REQUIRE(m.find("room") != nullptr);
    CHECK(*m.find("room") == "7");
    CHECK(m.find("table") == nullptr);
    CHECK(m.begin()[2] == weft::metadata::entry{"room", "8"});
  }

  TEST_CASE("keys are taken as lower case") {
    weft::metadata m;
    m.add("X-Player", "Ann");
    REQUIRE(m.find("x-player") != nullptr);
    CHECK(*m.find("x-player") == "Ann");
  }

  TEST_CASE("bytes are for keys that end in -bin") {
    weft::metadata good, bad;
    good.add("seed-bin", std::string("\0\xff\n", 3));
    CHECK(good.check().ok());
    bad.add("seed", std::string("a\nb"));
    CHECK(bad.check() ==
          weft::invalid_argument(
              "metadata key 'seed' has a value that is not printable ASCII: a key for bytes ends in '-bin'"));
  }

  TEST_CASE("a key that is none, or gRPC's own, is named") {
    for (const char* key : {"", "two words", ":path", "k\xc3\xa4se"}) {
      weft::metadata m;
      m.add(key, "x");
      CHECK(m.check().code() == weft::code::invalid_argument);
      CHECK(m.check().message().find("'" + std::string{key} + "'") != std::string::npos);
    }
    weft::metadata reserved, tracing;
    reserved.add("grpc-timeout", "1S");
    CHECK(reserved.check() == weft::invalid_argument("metadata key 'grpc-timeout' is reserved for gRPC"));
    tracing.add("grpc-trace-bin", "x");
    CHECK(tracing.check().ok());
  }
}
