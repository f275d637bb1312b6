#pragma once
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>

#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>
#include <weft/rpc/c/boundary.hpp>
#include <weft/rpc/method_name.hpp>

namespace google::protobuf {
class FileDescriptorProto;
}

namespace weft::c {

/// The types that are known while the program runs, for JSON. They grow, and never change. Any thread.
class types {
 public:
  types();

  /// A FileDescriptorSet. Files may come in any order; what they import and is not among them has to be known.
  /// INVALID_ARGUMENT: it is none, or names the file that is wrong.
  status add(std::string_view descriptors);
  status add(std::vector<google::protobuf::FileDescriptorProto> files);
  bool has_file(const std::string& name) const;

  /// Null when it is not known. `path`: "/package.Service/Method". What is found lives as long as this.
  const google::protobuf::MethodDescriptor* method(std::string_view path) const;
  const google::protobuf::Descriptor* message(const std::string& name) const;
  std::vector<const google::protobuf::MethodDescriptor*> methods_of(const std::string& service) const;

  /// INVALID_ARGUMENT, naming the field.
  result<std::string> to_bytes(const google::protobuf::Descriptor& type, std::string_view json) const;
  /// INTERNAL, naming the field.
  result<std::string> to_json(const google::protobuf::Descriptor& type, std::string_view bytes) const;

 private:
  class complaints;

  const google::protobuf::FileDescriptor* known(const std::string& name) const;

  // A pool without a database has no lock of its own.
  mutable std::shared_mutex mutex_;
  google::protobuf::DescriptorPool pool_;
  mutable google::protobuf::DynamicMessageFactory messages_;
};

}  // namespace weft::c
