#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <weft/rpc/c/call.hpp>
#include <weft/rpc/c/peer.hpp>

namespace google::protobuf {
class FileDescriptorProto;
}

namespace weft::c {

/// Asks a peer's reflection for a service, from weft_types_ask to its event. On the worker.
class reflected_types final : public object, public under_way {
 public:
  static constexpr const char* method = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

  reflected_types(std::shared_ptr<remote_peer> from, std::string service, call_plan plan)
      : object{kind::call, from->shared_owner()},
        from_{std::move(from)},
        service_{std::move(service)},
        plan_{std::move(plan)} {}

  static task<> run(std::shared_ptr<reflected_types> self);
  void give_up(status why) noexcept override;

 private:
  using files = std::vector<google::protobuf::FileDescriptorProto>;

  task<status> ask(const named_method* version, files* found);
  task<status> question(std::string bytes, files* found);

  const std::shared_ptr<remote_peer> from_;
  const std::string service_;
  const call_plan plan_;
  raw_stream* talk_ = nullptr;
  bool given_up_ = false;
};

}  // namespace weft::c
