#pragma once
#include <google/protobuf/compiler/code_generator.h>

#include <string>

namespace weft::codegen {

/// Writes <name>.weft.hpp and <name>.weft.cpp for a .proto file: for each service a class that holds its method table, its
/// `client`, and its `service`, the base of what implements it; and <name>.weft.fake.hpp: its `fake`, for tests with
/// weft::test, which nothing else includes. Messages are protoc's own.
class generator final : public google::protobuf::compiler::CodeGenerator {
 public:
  bool Generate(const google::protobuf::FileDescriptor* file, const std::string& parameter,
                google::protobuf::compiler::GeneratorContext* context, std::string* error) const override;
  std::uint64_t GetSupportedFeatures() const override { return FEATURE_PROTO3_OPTIONAL; }
};

}  // namespace weft::codegen
