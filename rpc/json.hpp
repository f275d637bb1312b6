#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <weft/runtime/result.hpp>

namespace google::protobuf {
class Message;
}

namespace weft {

enum class json_style : std::uint8_t { compact, pretty };

/// protobuf's JSON of a message of any type, known by its descriptor: lowerCamelCase names, and without the fields that have
/// their default value. `pretty` ends with a line break. INTERNAL, naming the type, when it cannot be written (an Any of a
/// type that the message's pool does not know).
result<std::string> to_json(const google::protobuf::Message& message, json_style style = json_style::compact);

/// The reverse; fields may have their .proto names too. INVALID_ARGUMENT with the message's type, the path of the field and
/// what is wrong with it.
status from_json(std::string_view json, google::protobuf::Message& into);

}  // namespace weft
