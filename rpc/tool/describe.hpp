#pragma once
#include <string>
#include <weft/runtime/result.hpp>

namespace google::protobuf {
class DescriptorPool;
}

namespace weft::tool {

/// The symbol as its .proto has it, and what it is; a method with its messages. NOT_FOUND.
result<std::string> describe(const google::protobuf::DescriptorPool& pool, const std::string& symbol);

}  // namespace weft::tool
