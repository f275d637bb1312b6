#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>
#include <weft/runtime/net/frame.hpp>

namespace {

// Feeds `bytes` in slices of `slice` and collects what comes out.
std::vector<std::string> decode(weft::frame_decoder& decoder, std::string_view bytes, std::size_t slice) {
  std::vector<std::string> messages;
  for (std::size_t at = 0; at < bytes.size(); at += slice) {
    auto input = bytes.substr(at, slice);
    while (auto message = decoder.next(input)) messages.push_back(std::move(*message));
    CHECK((input.empty() || !decoder.error().ok()));
  }
  return messages;
}

}  // namespace

TEST_SUITE("frame") {
  TEST_CASE("a frame is the length in four bytes, most significant first, and the message") {
    std::string out;
    weft::encode_frame("abc", out);
    CHECK(out == std::string{"\0\0\0\3abc", 7});
    CHECK(weft::make_frame_header(0x01020384) == weft::frame_header{1, 2, 3, static_cast<char>(0x84)});
  }

  TEST_CASE("messages come out as they went in, whatever the slices") {
    const std::vector<std::string> sent{"first", "", std::string(70'000, 'x'), "last", ""};
    std::string bytes;
    for (const auto& m : sent) weft::encode_frame(m, bytes);
    for (const std::size_t slice :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{4'096}, bytes.size()}) {
      CAPTURE(slice);
      weft::frame_decoder decoder{1 << 20};
      CHECK(decode(decoder, bytes, slice) == sent);
      CHECK_FALSE(decoder.in_frame());
    }
  }

  TEST_CASE("a length above the limit is refused, naming both, and so is all that follows") {
    std::string bytes;
    weft::encode_frame("fits", bytes);
    weft::encode_frame("too long", bytes);
    weft::encode_frame("ok", bytes);
    for (const std::size_t slice : {std::size_t{1}, bytes.size()}) {
      weft::frame_decoder decoder{4};
      CHECK(decode(decoder, bytes, slice) == std::vector<std::string>{"fits"});
      CHECK(decoder.error() == weft::invalid_argument("a message of 8 bytes is longer than max_frame, 4 bytes"));
    }
  }

  TEST_CASE("a message of exactly the limit passes, and so does an empty one under a limit of nothing") {
    std::string bytes;
    weft::encode_frame("1234", bytes);
    weft::frame_decoder decoder{4};
    CHECK(decode(decoder, bytes, 3).size() == 1);

    weft::frame_decoder none{0};
    CHECK(decode(none, std::string(4, '\0'), 1) == std::vector<std::string>{""});
  }

  TEST_CASE("lengths with the top bit set are lengths, not negative numbers") {
    weft::frame_decoder decoder{1 << 20};
    CHECK(decode(decoder, "\xff\xff\xff\xff", 1).empty());
    CHECK(decoder.error().message().find("4294967295") != std::string::npos);
  }

  TEST_CASE("the decoder knows whether it is in the middle of a frame") {
    weft::frame_decoder decoder{100};
    CHECK_FALSE(decoder.in_frame());
    CHECK(decode(decoder, std::string_view{"\0", 1}, 1).empty());
    CHECK(decoder.in_frame());
    CHECK(decode(decoder, std::string_view{"\0\0\2a", 4}, 1).empty());
    CHECK(decoder.in_frame());
    CHECK(decode(decoder, "b", 1) == std::vector<std::string>{"ab"});
    CHECK_FALSE(decoder.in_frame());
  }
}
