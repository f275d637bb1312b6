#pragma once
#include <set>
#include <span>
#include <string>
#include <weft/rpc/rpc_service.hpp>

namespace grpc::reflection {
namespace v1 {
class ServerReflectionRequest;
class ServerReflectionResponse;
}  // namespace v1
namespace v1alpha {
class ServerReflectionRequest;
class ServerReflectionResponse;
}  // namespace v1alpha
}  // namespace grpc::reflection

namespace weft {

/// Tells consoles (`weft`, grpcurl) what the server offers, in gRPC's standard protocol, grpc.reflection.v1 and v1alpha:
///
///     weft::reflection reflection{rt};
///     reflection.offers(cards);
///     server.add(reflection);
///
/// It answers for every .proto file whose generated code is linked in; comments are not part of that. Whoever can reach
/// the server can read them.
class reflection final : public rpc_service {
 public:
  explicit reflection(runtime& rt, service_options options = {.name = "grpc.reflection"});

  /// The service is listed. Before the server starts.
  void offers(const rpc_service& s);

  std::span<const served_method> methods() const noexcept override;

 private:
  task<status> answer_v1(reader<grpc::reflection::v1::ServerReflectionRequest>& in,
                         writer<grpc::reflection::v1::ServerReflectionResponse>& out);
  task<status> answer_v1alpha(reader<grpc::reflection::v1alpha::ServerReflectionRequest>& in,
                              writer<grpc::reflection::v1alpha::ServerReflectionResponse>& out);

  std::set<std::string> services_;
};

}  // namespace weft
