#include <weft/rpc/bytes.hpp>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/impl/codegen/proto_buffer_reader.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <limits>

namespace weft {

namespace {

constexpr auto most_bytes = static_cast<std::size_t>(std::numeric_limits<int>::max());

status malformed(const google::protobuf::MessageLite& message) {
  return invalid_argument("the bytes are not a valid " + message.GetTypeName());
}

}  // namespace

status measure(const google::protobuf::MessageLite& message, std::size_t& bytes) {
  if (!message.IsInitialized()) {
    return invalid_argument(message.GetTypeName() + " lacks required fields: " + message.InitializationErrorString());
  }
  bytes = message.ByteSizeLong();
  if (bytes <= most_bytes) return {};
  return invalid_argument(message.GetTypeName() + " is larger than 2 GiB: " + std::to_string(bytes) + " bytes");
}

status serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer& out) {
  std::size_t size = 0;
  if (auto s = measure(message, size); !s.ok()) return s;
  grpc::Slice slice{size};
  message.SerializeWithCachedSizesToArray(const_cast<std::uint8_t*>(slice.begin()));
  grpc::ByteBuffer buffer{&slice, 1};
  out.Swap(&buffer);
  return {};
}

status parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message) {
  grpc::Slice slice;
  if (bytes.TrySingleSlice(&slice).ok()) {
    return parse(std::string_view{reinterpret_cast<const char*>(slice.begin()), slice.size()}, message);
  }
  auto copy = bytes;  // a reference; the reader wants it mutable
  grpc::ProtoBufferReader reader{&copy};
  return reader.status().ok() && message.ParseFromZeroCopyStream(&reader) ? status{} : malformed(message);
}

status parse(std::string_view bytes, google::protobuf::MessageLite& message) {
  const bool good = bytes.size() <= most_bytes && message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return good ? status{} : malformed(message);
}

std::size_t size_of(const grpc::ByteBuffer& bytes) noexcept { return bytes.Length(); }

}  // namespace weft
