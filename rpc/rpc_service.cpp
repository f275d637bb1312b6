#include <weft/rpc/rpc_service.hpp>

#include <weft/rpc/bytes.hpp>

namespace weft::detail {
namespace {

// `bytes`: of `request`.
template <class Request>
status accept_bytes(const served_method& method, rpc_service& to, call_origin& from, const Request& request,
                    std::size_t bytes, call_holder& call) {
  auto made = method.make(to, method);
  if (auto s = parse(request, *made.request); !s.ok()) return s;
  made.at_service->weighs(bytes);
  made.at_service->comes_from(from);
  call = std::move(made.call);
  return {};
}

class byte_buffer_sink final : public reply_sink {
 public:
  explicit byte_buffer_sink(grpc::ByteBuffer& to) noexcept : to_{to} {}
  status put(const google::protobuf::MessageLite& reply) override { return serialize(reply, to_); }

 private:
  grpc::ByteBuffer& to_;
};

}  // namespace

status accept(const served_method& method, rpc_service& to, call_origin& from, const grpc::ByteBuffer& request,
              call_holder& call) {
  return accept_bytes(method, to, from, request, size_of(request), call);
}

status accept(const served_method& method, rpc_service& to, call_origin& from, std::string_view request,
              call_holder& call) {
  return accept_bytes(method, to, from, request, request.size(), call);
}

status take(const served_method& method, call_operation& settled, grpc::ByteBuffer& reply) {
  byte_buffer_sink sink{reply};
  return method.take(settled, sink);
}

}  // namespace weft::detail
