#include <weft/rpc/status_details.hpp>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <utility>

// google.rpc.Status, by hand: its generated class would be registered twice in a program that has one of its own.
namespace weft {
namespace {

using google::protobuf::internal::WireFormatLite;

constexpr int code_field = 1;
constexpr int message_field = 2;
constexpr int details_field = 3;

}  // namespace

status add_detail(status error, const google::protobuf::Message& detail) {
  if (error.ok()) return error;
  std::string bytes = error.details();
  {
    google::protobuf::io::StringOutputStream out{&bytes};
    google::protobuf::io::CodedOutputStream coded{&out};
    if (error.details().empty()) {
      WireFormatLite::WriteInt32(code_field, static_cast<int>(error.code()), &coded);
      WireFormatLite::WriteString(message_field, error.message(), &coded);
    }
    google::protobuf::Any any;
    any.PackFrom(detail);
    WireFormatLite::WriteBytes(details_field, any.SerializeAsString(), &coded);
  }
  return {error.code(), error.message(), std::move(bytes)};
}

std::vector<google::protobuf::Any> details_of(const status& error) {
  std::vector<google::protobuf::Any> details;
  const auto& bytes = error.details();
  google::protobuf::io::CodedInputStream in{reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            static_cast<int>(bytes.size())};
  constexpr auto wanted = WireFormatLite::MakeTag(details_field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  while (const auto tag = in.ReadTag()) {
    if (tag == wanted) {
      std::string any;
      if (!WireFormatLite::ReadBytes(&in, &any) || !details.emplace_back().ParseFromString(any)) return {};
    } else if (!WireFormatLite::SkipField(&in, tag)) {
      return {};
    }
  }
  return in.ConsumedEntireMessage() ? details : std::vector<google::protobuf::Any>{};
}

}  // namespace weft
