#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <weft/bench/rpc/executions.hpp>

using weft::bench::executions;

TEST_SUITE("executions") {
  TEST_CASE("what one mapping has counted another one sees, also when the first is gone") {
    executions counted{10};
    {
      const executions elsewhere{counted.file(), 10};
      ++elsewhere.counts()[7];
    }
    CHECK(counted.counts()[7] == 1);
    CHECK(counted.counts()[8] == 0);
  }

  TEST_CASE("the file goes with who has made it") {
    std::string file;
    {
      const executions counted{1};
      file = counted.file();
      CHECK(std::filesystem::exists(file));
    }
    CHECK_FALSE(std::filesystem::exists(file));
  }
}
