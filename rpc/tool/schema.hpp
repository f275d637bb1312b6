#pragma once
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>
#include <weft/rpc/directory.hpp>
#include <weft/runtime/result.hpp>

namespace grpc::reflection::v1 {
class ServerReflectionRequest;
class ServerReflectionResponse;
}  // namespace grpc::reflection::v1

namespace weft::tool {

/// The .proto files of a server: asked from it by reflection, symbol by symbol, or read from a file. On one strand.
class schema {
 public:
  schema();
  ~schema();
  schema(const schema&) = delete;
  schema& operator=(const schema&) = delete;

  /// From what `protoc --descriptor_set_out` writes. INVALID_ARGUMENT when it is none.
  status load(const std::string& file);
  /// From the server.
  void ask(peer& server, duration limit);

  /// The services that there are. Errors: UNIMPLEMENTED (the server has no reflection), and those of calls.
  task<result<std::vector<std::string>>> services();
  /// Makes the pool know `symbol`. NOT_FOUND when there is none.
  task<status> find(std::string symbol);
  const google::protobuf::DescriptorPool& pool() const noexcept { return pool_; }

 private:
  using question = grpc::reflection::v1::ServerReflectionRequest;
  using answer = grpc::reflection::v1::ServerReflectionResponse;

  task<result<answer>> ask(question q);
  task<result<answer>> ask_once(std::string_view method, std::string request) const;
  void add(const answer& a, std::vector<std::string>& imports);
  bool knows(const std::string& symbol) const;

  class complaints;

  directory reflection_;
  bool from_server_ = false;
  duration limit_{};
  std::string method_;  // the version that the server has; empty: not known yet
  std::set<std::string> files_;
  google::protobuf::SimpleDescriptorDatabase described_;
  google::protobuf::DescriptorPoolDatabase linked_in_;  // what files of others import may be missing: google/protobuf
  google::protobuf::MergedDescriptorDatabase both_;
  std::unique_ptr<complaints> complaints_;
  google::protobuf::DescriptorPool pool_;
};

}  // namespace weft::tool
