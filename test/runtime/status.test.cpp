#include <doctest/doctest.h>

#include <sstream>
#include <weft/runtime/result.hpp>
#include <weft/runtime/status.hpp>

TEST_SUITE("status") {
  TEST_CASE("a default status is ok and prints as OK") {
    weft::status s;
    CHECK(s.ok());
    CHECK(s.to_string() == "OK");
  }

  TEST_CASE("an error prints its code as gRPC spells it and its message") {
    std::ostringstream out;
    out << weft::not_found("no table 7");
    CHECK(out.str() == "NOT_FOUND: no table 7");
  }

  TEST_CASE("a number that is no code prints as UNKNOWN") {
    CHECK(weft::to_string(static_cast<weft::code>(99)) == "UNKNOWN");
  }
}

TEST_SUITE("result") {
  TEST_CASE("a result holds a value or an error") {
    weft::result<int> good{7};
    weft::result<int> bad{weft::aborted("no")};
    CHECK(good.ok());
    CHECK(*good == 7);
    CHECK_FALSE(bad.ok());
    CHECK(bad.code() == weft::code::aborted);
  }

  TEST_CASE("unchecked access to an error throws bad_result that names the error") {
    weft::result<int> bad{weft::aborted("lost the race")};
    CHECK_THROWS_WITH_AS(*bad, "weft: value of a failed result: ABORTED: lost the race", weft::bad_result);
  }

  TEST_CASE("a result made from an ok status is an INTERNAL error, not a value out of nowhere") {
    weft::result<int> odd{weft::status{}};
    CHECK(odd.code() == weft::code::internal);
  }
}
