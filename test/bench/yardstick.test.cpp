#include <doctest/doctest.h>

#include <sstream>
#include <weft/bench/rpc/yardstick.hpp>

using weft::bench::row;
using weft::bench::row_of;
using weft::bench::run_result;
using weft::bench::why_void;
using weft::bench::yardstick;

namespace {

constexpr yardstick batched{.row = "batched", .of = "raw", .concurrency = 64, .at_least = 6.5, .payload = 32};

row row_with(const char* name, int concurrency, std::uint64_t calls) {
  return row_of(name, true, concurrency, {{.calls = calls, .seconds = 1, .error = {}}});
}
row void_row(const char* name, int concurrency) {
  return row_of(name, true, concurrency, {{.errors = 1, .error = "refused"}});
}

}  // namespace

TEST_SUITE("yardstick") {
  TEST_CASE("a run whose peer reaches its measure is not void") {
    CHECK(why_void(batched, {row_with("raw", 64, 100), row_with("batched", 64, 650)}).empty());
  }

  TEST_CASE("a run whose peer stays below its measure is void, and says by how much") {
    const auto why = why_void(batched, {row_with("raw", 64, 100), row_with("batched", 64, 649)});
    CHECK(why == "batched must itself reach 6.5 times raw with 64 calls out, and reached 6.49");
  }

  TEST_CASE("a void row of the two voids the run") {
    CHECK(why_void(batched, {row_with("raw", 64, 100), void_row("batched", 64)}).ends_with("there is no figure"));
    CHECK(why_void(batched, {void_row("raw", 64), row_with("batched", 64, 900)}).ends_with("there is no figure"));
  }

  TEST_CASE("only rows of the yardstick's concurrency count") {
    CHECK(why_void(batched, {row_with("raw", 1, 100), row_with("batched", 1, 100), row_with("raw", 64, 100),
                             row_with("batched", 64, 700)})
              .empty());
  }

  TEST_CASE("a run in which one of the two took no part is not void") {
    CHECK(why_void(batched, {row_with("raw", 64, 100)}).empty());
  }

  TEST_CASE("a void run says so in its table and in its JSON, beside its figures") {
    const weft::bench::report r{
        .suite = "s", .machine = "m", .versions = {}, .rows = {row_with("raw", 64, 100)}, .why_void = "too slow"};
    std::ostringstream table, json;
    write_table(table, r, "raw");
    write_json(json, r);
    CHECK(table.str().starts_with("VOID, the whole run: too slow\n"));
    CHECK(json.str().find(R"("void":"too slow","rows":[)") != std::string::npos);
    CHECK(json.str().find(R"("calls_per_s":{"median":100.0)") != std::string::npos);
  }
}
