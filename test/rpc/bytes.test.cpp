#include <doctest/doctest.h>
#include <google/protobuf/descriptor.pb.h>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/convert.hpp>

#include "test/v1/echo.pb.h"

TEST_SUITE("bytes") {
  TEST_CASE("a message comes back from its bytes, in one slice or in several") {
    test::v1::EchoRequest sent, one, several;
    sent.set_text("hello");
    sent.set_payload(std::string(100'000, 'x'));
    grpc::ByteBuffer bytes;
    REQUIRE(weft::serialize(sent, bytes).ok());
    REQUIRE(weft::parse(bytes, one).ok());
    CHECK(one.SerializeAsString() == sent.SerializeAsString());

    const auto text = sent.SerializeAsString();
    const grpc::Slice parts[] = {grpc::Slice{text.substr(0, 50)}, grpc::Slice{text.substr(50)}};
    REQUIRE(weft::parse(grpc::ByteBuffer{parts, 2}, several).ok());
    CHECK(several.SerializeAsString() == text);
  }

  TEST_CASE("a message that lacks what it must have is not serialised, and what is missing is named") {
    grpc::ByteBuffer bytes;
    const google::protobuf::UninterpretedOption::NamePart incomplete;
    CHECK(weft::serialize(incomplete, bytes) ==
          weft::invalid_argument(
              "google.protobuf.UninterpretedOption.NamePart lacks required fields: name_part, is_extension"));
  }

  TEST_CASE("bytes that are no such message are INVALID_ARGUMENT that names the message") {
    const grpc::Slice garbage{std::string(9, '\xff')};
    test::v1::EchoRequest out;
    CHECK(weft::parse(grpc::ByteBuffer{&garbage, 1}, out) ==
          weft::invalid_argument("the bytes are not a valid test.v1.EchoRequest"));
  }
}

TEST_SUITE("convert") {
  TEST_CASE("every code keeps its number and message both ways, and an unknown number is UNKNOWN") {
    for (int c = 1; c <= 16; ++c) {
      const weft::status s{static_cast<weft::code>(c), "why"};
      CHECK(static_cast<int>(weft::to_grpc(s).error_code()) == c);
      CHECK(weft::from_grpc(weft::to_grpc(s)) == s);
    }
    // 20 is none of gRPC's codes, and still one of the values its enumeration can hold.
    CHECK(weft::from_grpc({static_cast<grpc::StatusCode>(20), "odd"}) == weft::unknown_error("odd"));
  }
}
