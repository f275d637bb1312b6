// The two readers of fields, beside each other; whole batches: batch_reader.test.
#include <weft/rpc/session/protobuf_wire.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "../../support/session_batches.hpp"

using test::varint;
using weft::detail::protobuf_wire::fields;
using weft::detail::protobuf_wire::quick_fields;
using weft::detail::protobuf_wire::small_frame;

TEST_SUITE("protobuf_wire") {
  TEST_CASE("numbers of all lengths are read, with bytes behind them and without") {
    for (unsigned bits = 0; bits < 64; ++bits) {
      const auto expected = std::uint64_t{1} << bits | std::uint64_t{bits};
      const auto frame = test::tag(1, 0) + varint(expected);
      for (const std::size_t behind : {0, 1, 8}) {
        CAPTURE(bits);
        CAPTURE(behind);
        const auto bytes = frame + std::string(behind, '\x7f');
        const auto text = std::string_view{bytes}.substr(0, frame.size());
        fields slow{text, 0};
        CHECK(slow.next());
        CHECK(slow.number() == expected);
        CHECK_FALSE(slow.next());
        CHECK_FALSE(slow.failed());
        quick_fields quick{text, bytes.data() + bytes.size()};
        std::uint64_t number = 0;
        // What it leaves to the other reader it must not have read wrongly.
        if (quick.read(1, number)) {
          CHECK(number == expected);
          CHECK(quick.at_end());
        } else {
          CHECK(bits >= 56);
        }
      }
    }
  }
  TEST_CASE("a field that is not there is skipped, one that comes too early is left") {
    const auto frame = test::tag(5, 0) + varint(7);
    quick_fields quick{frame, frame.data() + frame.size()};
    std::uint64_t number = 0;
    CHECK(quick.read(1, number));
    CHECK(number == 0);
    CHECK(quick.read(6, number));
    CHECK_FALSE(quick.at_end());
    CHECK(quick.read(5, number));
    CHECK(number == 7);
    CHECK(quick.at_end());
  }
  TEST_CASE("a small frame is one whose length has one byte and that ends within the batch") {
    std::string_view frame;
    const auto ends_at = [&frame](const std::string& bytes) {
      const auto* end = small_frame(bytes.data(), bytes.data() + bytes.size(), 0x12, frame);
      return end == nullptr ? -1 : static_cast<int>(end - bytes.data());
    };
    CHECK(ends_at(test::with_length(2, "abc") + "x") == 5);
    CHECK(frame.size() == 3);
    CHECK(ends_at(test::with_length(2, std::string(127, 'x'))) == 129);
    CHECK(ends_at(test::with_length(2, std::string(128, 'x'))) == -1);
    CHECK(ends_at(test::with_length(3, "abc")) == -1);
    CHECK(ends_at("\x12\x03xx") == -1);
    CHECK(ends_at("\x12") == -1);
    CHECK(ends_at("") == -1);
  }
}
