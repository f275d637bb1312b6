#pragma once
#include <cstddef>
#include <string_view>
#include <weft/runtime/status.hpp>

namespace google::protobuf {
class MessageLite;
}
namespace grpc {
class ByteBuffer;
}

namespace weft {

/// One message as the bytes of a gRPC call, in one slice. INVALID_ARGUMENT, naming the message's type, when it lacks a
/// required field or is larger than protobuf's 2 GiB (gRPC's own serialisation aborts on both).
status serialize(const google::protobuf::MessageLite& message, grpc::ByteBuffer& out);

/// What can be wrong with a message that is to be sent, as `serialize` says it; sets `bytes` to its size, which protobuf
/// keeps for serialising it.
status measure(const google::protobuf::MessageLite& message, std::size_t& bytes);

/// The reverse. INVALID_ARGUMENT, naming the message's type, when the bytes are not such a message.
status parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message);
status parse(std::string_view bytes, google::protobuf::MessageLite& message);

std::size_t size_of(const grpc::ByteBuffer& bytes) noexcept;

}  // namespace weft
