#include <weft/rpc/bytes.hpp>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/impl/codegen/proto_buffer_reader.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <limits>

namespace weft {

status serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer& out) {
  if (!message.IsInitialized()) {
    return invalid_argument(message.GetTypeName() + " lacks required fields: " + message.InitializationErrorString());
  }
  const auto size = message.ByteSizeLong();
  if (size > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return invalid_argument(message.GetTypeName() + " is larger than 2 GiB: " + std::to_string(size) + " bytes");
  }
  grpc::Slice slice{size};
  message.SerializeWithCachedSizesToArray(const_cast<std::uint8_t*>(slice.begin()));
  grpc::ByteBuffer buffer{&slice, 1};
  out.Swap(&buffer);
  return {};
}

status parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message) {
  grpc::Slice slice;
  bool good = false;
  if (bytes.TrySingleSlice(&slice).ok()) {
    good = slice.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()) &&
           message.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
  } else {
    auto copy = bytes;  // a reference; the reader wants it mutable
    grpc::ProtoBufferReader reader{&copy};
    good = reader.status().ok() && message.ParseFromZeroCopyStream(&reader);
  }
  if (good) return {};
  return invalid_argument("the bytes are not a valid " + message.GetTypeName());
}

std::size_t size_of(const grpc::ByteBuffer& bytes) noexcept { return bytes.Length(); }

}  // namespace weft
