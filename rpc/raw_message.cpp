#include <weft/rpc/raw_message.hpp>

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <vector>

namespace weft {

status serialize(const raw_message& message, grpc::ByteBuffer& out) {
  const grpc::Slice slice{message.bytes};
  grpc::ByteBuffer buffer{&slice, 1};
  out.Swap(&buffer);
  return {};
}

status parse(const grpc::ByteBuffer& bytes, raw_message& message) {
  std::vector<grpc::Slice> slices;
  // What came compressed is decompressed here.
  if (!bytes.Dump(&slices).ok()) return invalid_argument("the bytes cannot be read");
  message.bytes.clear();
  message.bytes.reserve(bytes.Length());
  for (const auto& s : slices) message.bytes.append(reinterpret_cast<const char*>(s.begin()), s.size());
  return {};
}

}  // namespace weft
