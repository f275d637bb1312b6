#include <weft/rpc/rpc_service.hpp>

#include <weft/rpc/bytes.hpp>

namespace weft::detail {
namespace {

call_holder given(made_call made, call_origin& from, std::size_t bytes) {
  made.at_service->weighs(bytes);
  made.at_service->comes_from(from);
  return std::move(made.call);
}

class byte_buffer_sink final : public reply_sink {
 public:
  explicit byte_buffer_sink(grpc::ByteBuffer& to) noexcept : to_{to} {}
  status put(const google::protobuf::MessageLite& reply) override { return serialize(reply, to_); }

 private:
  grpc::ByteBuffer& to_;
};

}  // namespace

result<call_holder> accept(const served_method& method, rpc_service& to, call_origin& from,
                           const grpc::ByteBuffer& request) {
  auto made = method.make(to, method);
  if (auto s = parse(request, *made.request); !s.ok()) return s;
  return given(std::move(made), from, size_of(request));
}

result<call_holder> accept(const served_method& method, rpc_service& to, call_origin& from, std::string_view request) {
  auto made = method.make(to, method);
  if (auto s = parse(request, *made.request); !s.ok()) return s;
  return given(std::move(made), from, request.size());
}

status take(const served_method& method, call_operation& settled, grpc::ByteBuffer& reply) {
  byte_buffer_sink sink{reply};
  return method.take(settled, sink);
}

}  // namespace weft::detail
