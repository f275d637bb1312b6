#pragma once
#include <string>
#include <weft/runtime/status.hpp>

namespace grpc {
class ByteBuffer;
}

namespace weft {

/// A message as it is on the wire, of whatever type: what streams carry that are called by name.
struct raw_message {
  std::string bytes;
};

status serialize(const raw_message& message, grpc::ByteBuffer& out);
status parse(const grpc::ByteBuffer& bytes, raw_message& message);

}  // namespace weft
