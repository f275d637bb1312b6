#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <weft/runtime/link/gate_message.hpp>

using namespace std::string_literals;

TEST_SUITE("gate message") {
  TEST_CASE("a number is appended as field 1, of any size") {
    std::string command = "\x12\x01x"s;
    weft::number_command(command, 1);
    CHECK(command == "\x12\x01x\x08\x01"s);
    for (const std::uint64_t n : {std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{300}, ~std::uint64_t{0}}) {
      std::string numbered;
      weft::number_command(numbered, n);
      CHECK(weft::read_gate_head(numbered)->reply_to == n);
    }
  }

  TEST_CASE("the head is read wherever its fields stand, and the last of each counts") {
    const auto head = weft::read_gate_head("\x22\x01x\x1a\x02no\x10\x05\x08\x01\x29"
                                           "12345678\x35"
                                           "1234\x08\x07"s);
    REQUIRE(head.ok());
    CHECK(head->reply_to == 7);
    CHECK(head->outcome == weft::not_found("no"));
  }

  TEST_CASE("an empty message is an event") {
    const auto head = weft::read_gate_head("");
    REQUIRE(head.ok());
    CHECK(head->reply_to == 0);
    CHECK(head->outcome.ok());
  }

  TEST_CASE("a code that nobody knows is UNKNOWN") {
    CHECK(weft::read_gate_head("\x10\x63"s)->outcome.code() == weft::code::unknown);
  }

  TEST_CASE("what is no message, or another, is refused") {
    for (const auto& bad :
         {"\x08"s, "\x08\xff"s, "\x1a\x05no"s, "\x0a\x01x"s, "\x18\x01"s, "\x22"s, "\x00\x01"s, "\x23"s,
          "\x29"
          "1234567"s,
          "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, "\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s}) {
      CAPTURE(bad);
      CHECK(weft::read_gate_head(bad).code() == weft::code::invalid_argument);
    }
  }
}
