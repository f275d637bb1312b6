#include "lobby/flags.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <vector>

using lobby::flag;
using lobby::flags;

namespace {

weft::result<flags> parse(std::vector<std::string> arguments) {
  constexpr std::array known{flag{"--seconds"}, flag{"--help", false}};
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  return flags::parse(pointers, known);
}

}  // namespace

TEST_CASE("a flag's value follows it, or its equals sign") {
  CHECK(parse({"--seconds", "3"})->text("--seconds") == "3");
  CHECK(parse({"--seconds=3"})->text("--seconds") == "3");
  CHECK(parse({"--help"})->has("--help"));
  CHECK(parse({})->text("--seconds", "10") == "10");
}

TEST_CASE("what is wrong with the flags is named") {
  CHECK(parse({"--second", "3"}).status().message() == "unknown flag --second");
  CHECK(parse({"3"}).status().message() == "unexpected argument 3");
  CHECK(parse({"--seconds"}).status().message() == "--seconds needs a value");
  CHECK(parse({"--help=1"}).status().message() == "--help takes no value");
}

TEST_CASE("a number is a whole one in its range") {
  CHECK(*parse({"--seconds=3"})->number("--seconds", 10, 1, 5) == 3);
  CHECK(*parse({})->number("--seconds", 10, 1, 5) == 10);
  for (const char* wrong : {"--seconds=0", "--seconds=6", "--seconds=3s", "--seconds=", "--seconds=-3"}) {
    CHECK(parse({wrong})->number("--seconds", 10, 1, 5).code() == weft::code::invalid_argument);
  }
}
