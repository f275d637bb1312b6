// The reader of batches, which is written by hand, beside protobuf's generated parser of the same .proto.
#include <weft/rpc/session/batch_reader.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <weft/runtime/config.hpp>

#include "../../support/session_batches.hpp"
#include "../../support/session_parts.hpp"

using test::dice;
using test::heard_parts;
using test::tag;
using test::varint;
using test::with_length;
using weft::detail::batch_reader;
using weft::detail::read_batch;

namespace {

#if WEFT_TSAN || WEFT_ASAN
constexpr std::uint64_t cases = 20'000;
#else
constexpr std::uint64_t cases = 100'000;
#endif

// From memory that ends where the bytes do, so that AddressSanitizer sees who reads further.
weft::status read_exactly(std::string_view bytes, heard_parts& parts) {
  const std::unique_ptr<char[]> alone{new char[bytes.size()]};
  if (!bytes.empty()) std::memcpy(alone.get(), bytes.data(), bytes.size());
  return read_batch({alone.get(), bytes.size()}, parts);
}

weft::status read_in_portions(std::string_view bytes, heard_parts& parts, std::size_t portion) {
  batch_reader reader;
  reader.begin(bytes);
  while (!reader.done()) {
    const auto told = parts.all.calls_size() + parts.all.replies_size();
    if (auto s = reader.read(parts, portion); !s.ok()) return s;
    const auto more = parts.all.calls_size() + parts.all.replies_size() - told;
    CHECK(more <= static_cast<int>(portion));
    CHECK((more != 0 || reader.done()));
  }
  return {};
}

// Empty when both read the same out of `bytes`, or neither anything.
std::string difference(const std::string& bytes) {
  heard_parts heard;
  const auto read = read_exactly(bytes, heard);
  lax::v1::Batch parsed;
  const bool valid = parsed.ParseFromString(bytes);
  if (read.ok() != valid) {
    return (valid ? "only protobuf accepts it: " + read.to_string() : std::string{"protobuf does not accept it"});
  }
  if (!valid) return read.code() == weft::code::invalid_argument ? "" : "not INVALID_ARGUMENT: " + read.to_string();
  if (heard.order != test::order_of(parsed)) return "order " + heard.order + ", not " + test::order_of(parsed);
  for (const std::size_t portion : {1, 3}) {
    heard_parts in_portions;
    if (!read_in_portions(bytes, in_portions, portion).ok()) return "refused in portions";
    if (in_portions.order != heard.order) return "in portions: order " + in_portions.order + ", not " + heard.order;
    if (in_portions.all.SerializeAsString() != heard.all.SerializeAsString()) return "in portions it is another";
  }
  const auto expected = test::plain(parsed);
  if (heard.all.SerializeAsString() == expected.SerializeAsString()) return {};
  return heard.all.ShortDebugString() + " is not " + expected.ShortDebugString();
}

std::string in_hex(std::string_view bytes) {
  std::string s;
  for (const auto c : bytes) {
    s += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4U];
    s += "0123456789abcdef"[static_cast<unsigned char>(c) & 15U];
  }
  return s;
}

// Each case draws from a seed of its own, which a failure names.
template <class F>
void each_case(F make) {
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    dice d{seed};
    const std::string bytes = make(d);
    const auto d1 = difference(bytes);
    if (d1.empty()) continue;
    FAIL("seed " << seed << ": " << d1 << "\n" << in_hex(bytes));
  }
}

std::string nested_groups(int groups) {
  std::string s;
  for (int i = 0; i < groups; ++i) s += tag(100, 3);
  for (int i = 0; i < groups; ++i) s += tag(100, 4);
  return s;
}

bool accepts(const std::string& bytes) {
  CHECK(difference(bytes) == "");
  heard_parts heard;
  return read_exactly(bytes, heard).ok();
}

}  // namespace

TEST_SUITE("batch_reader") {
  TEST_CASE("reads what protobuf serialises") {
    each_case([](dice& d) { return test::any_batch(d).SerializeAsString(); });
  }
  TEST_CASE("reads fields in any order, twice, and of types that are not known, as protobuf does") {
    each_case([](dice& d) {
      std::string bytes;
      for (auto n = 1 + d.below(4); n != 0; --n) {
        bytes += d.one_in(3) ? test::any_field(d) : test::any_batch(d).SerializeAsString();
      }
      return bytes;
    });
  }
  TEST_CASE("accepts of spoilt bytes exactly what protobuf accepts") {
    each_case([](dice& d) { return test::spoilt(d, test::any_batch(d).SerializeAsString()); });
  }
  TEST_CASE("accepts of noise exactly what protobuf accepts") {
    each_case([](dice& d) {
      std::string bytes(d.below(12), '\0');
      for (auto& c : bytes) c = static_cast<char>(d.one_in(2) ? d.below(256) : d.below(80));
      return bytes;
    });
  }

  TEST_CASE("tells calls before replies, whatever their order in the batch") {
    heard_parts heard;
    const auto bytes = with_length(3, tag(1, 0) + varint(7)) + with_length(2, tag(1, 0) + varint(8));
    CHECK(read_batch(bytes, heard).ok());
    CHECK(heard.order == "cr");
  }
  TEST_CASE("reads numbers of a list packed or one by one") {
    const auto packed = with_length(4, varint(1) + varint(1'000'000) + varint(~std::uint64_t{0}));
    const auto single = tag(4, 0) + varint(5);
    const auto both = packed + single;
    const auto three = single + both;
    for (const auto& bytes : {packed, single, both, three}) CHECK(accepts(bytes));
    CHECK_FALSE(accepts(with_length(4, varint(300).substr(0, 1))));
  }
  TEST_CASE("skips groups, as deep as protobuf does") {
    CHECK(accepts(nested_groups(100)));
    CHECK_FALSE(accepts(nested_groups(101)));
    CHECK(accepts(with_length(2, nested_groups(99))));
    CHECK_FALSE(accepts(with_length(2, nested_groups(100))));
    CHECK(accepts(with_length(1, with_length(3, nested_groups(98)))));
    CHECK_FALSE(accepts(with_length(1, with_length(3, nested_groups(99)))));
    CHECK(accepts(with_length(2, with_length(8, nested_groups(98)))));
    CHECK_FALSE(accepts(with_length(2, with_length(8, nested_groups(99)))));
    CHECK_FALSE(accepts(tag(100, 3)));
    CHECK_FALSE(accepts(tag(100, 4)));
    CHECK_FALSE(accepts(tag(100, 3) + tag(101, 4)));
    CHECK(accepts(tag(2, 3) + with_length(4, "not a list\xff") + tag(2, 4)));
  }
  TEST_CASE("takes tags and lengths of five bytes, and numbers of ten") {
    for (std::size_t longer = 0; longer < 11; ++longer) {
      CAPTURE(longer);
      CHECK(accepts(varint(6U << 3U, longer) + varint(1)) == (longer < 5));
      CHECK(accepts(tag(2, 2) + varint(0, longer)) == (longer < 5));
      CHECK(accepts(tag(6, 0) + varint(1, longer)) == (longer < 10));
    }
  }
  TEST_CASE("takes lengths of five bytes at most within a frame, too") {
    for (std::size_t longer = 0; longer <= 9; ++longer) {
      CAPTURE(longer);
      for (const auto& [kind, text] : {std::pair{2U, 4U}, std::pair{3U, 3U}}) {
        const auto frame = with_length(kind, tag(1, 0) + varint(1) + tag(text, 2) + varint(0, longer));
        CHECK(accepts(frame) == (longer <= 4));
        CHECK(accepts(frame + with_length(100, "behind it")) == (longer <= 4));
      }
    }
  }
  TEST_CASE("takes no length beyond the end") {
    const auto id = tag(1, 0) + varint(7);
    CHECK(accepts(with_length(2, id)));
    for (const auto length : {std::uint64_t{3}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{1} << 31U,
                              (std::uint64_t{1} << 32U) + 2, ~std::uint64_t{0}}) {
      CAPTURE(length);
      CHECK_FALSE(accepts(tag(2, 2) + varint(length) + id));
      CHECK_FALSE(accepts(with_length(2, tag(3, 2) + varint(length) + id)));
    }
  }
  TEST_CASE("a number has at most ten bytes, wherever its frame ends, and none of the next frame's") {
    const auto behind = with_length(2, tag(1, 0) + varint(7)) + with_length(100, "behind it");
    for (std::size_t digits = 1; digits <= 11; ++digits) {
      CAPTURE(digits);
      const std::string unended(digits, '\x81');
      const auto number = unended.substr(1) + '\x01';
      for (const std::uint32_t kind : {2, 3}) {
        for (const auto& next : {std::string{}, behind}) {
          auto good = with_length(kind, tag(1, 0) + number);
          auto bad = with_length(kind, tag(1, 0) + unended);
          CHECK(accepts(good.append(next)) == (digits <= 10));
          CHECK_FALSE(accepts(bad.append(next)));
        }
      }
    }
  }
  TEST_CASE("takes paths and keys that are no UTF-8, which the generated parser refuses") {
    // On purpose: a path is only compared with those of methods, and what is no key of metadata is no key in UTF-8 either.
    const auto bytes = with_length(2, tag(1, 0) + varint(1) + with_length(3, "\xff"));
    CHECK(accepts(bytes));
    CHECK_FALSE(wire::v1::Batch{}.ParseFromString(bytes));  // and logs it
  }
  TEST_CASE("reads nothing after what its parts refuse") {
    struct refusing final : heard_parts {
      weft::status got_call(const weft::detail::call_frame& c) override {
        std::ignore = heard_parts::got_call(c);
        return weft::aborted("no calls");
      }
    } parts;
    const auto call = with_length(2, tag(1, 0) + varint(1));
    const auto s = read_batch(tag(6, 0) + varint(1) + call + call + with_length(9, varint(3)), parts);
    CHECK(s == weft::aborted("no calls"));
    CHECK(parts.order == "fc");
  }
  TEST_CASE("names the part that is malformed") {
    const auto error = [](const std::string& bytes) {
      heard_parts heard;
      return read_batch(bytes, heard).message();
    };
    const std::string cut = tag(1, 0);
    CHECK(error(cut) == "session: the bytes are not a valid Batch");
    CHECK(error(with_length(1, cut)) == "session: the bytes are not a valid Attach");
    CHECK(error(with_length(1, with_length(3, cut))) == "session: the bytes are not a valid Attach");
    CHECK(error(with_length(2, cut)) == "session: the bytes are not a valid Call");
    CHECK(error(with_length(3, cut)) == "session: the bytes are not a valid Reply");
    CHECK(error(with_length(4, "\x80")) == "session: the bytes are not a valid list of ids");
    CHECK(error(with_length(5, cut)) == "session: the bytes are not a valid Window");
    CHECK(error(with_length(8, cut)) == "session: the bytes are not a valid GoAway");
    CHECK(error(with_length(9, "\x80")) == "session: the bytes are not a valid list of keys");
  }
}
