#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/method.hpp>
#include <weft/rpc/stream_method.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/service.hpp>

namespace weft {

class rpc_service;
class server;

using call_holder = std::unique_ptr<call_operation, call_operation::holder>;

/// A call of a streaming method, not begun, with the server's ends of its streams.
struct served_stream {
  held_call<unit> call;
  detail::stream_end* end;  // part of the call
  std::shared_ptr<detail::byte_pipe> requests;
  std::shared_ptr<detail::byte_pipe> replies;
};

/// A unary call that is to be served: not begun, its request empty.
struct made_call {
  call_holder call;
  service_call* at_service;                // part of the call
  google::protobuf::MessageLite* request;  // too
};

/// Where the reply of a call that was served goes.
class reply_sink {
 public:
  virtual status put(const google::protobuf::MessageLite& reply) = 0;

 protected:
  ~reply_sink() = default;
};

/// A method as it is served: `make` and `take` of a unary method, `open` of one that streams. Made by the generator, or where
/// methods are only known at run time by whoever serves them.
struct served_method {
  const method_info* info;
  made_call (*make)(rpc_service& to, const served_method& self);
  /// The outcome of a settled call that `make` made; a reply goes to `sink`, which may have an error to say.
  status (*take)(call_operation& settled, reply_sink& sink);
  served_stream (*open)(rpc_service& to, const served_method& self, call_origin& from) = nullptr;
};

namespace detail {

/// Sets the call that a request makes, not begun. INVALID_ARGUMENT when the bytes are no such message.
status accept(const served_method& method, rpc_service& to, call_origin& from, const grpc::ByteBuffer& request,
              call_holder& call);
status accept(const served_method& method, rpc_service& to, call_origin& from, std::string_view request,
              call_holder& call);
/// Takes the outcome of a settled call.
status take(const served_method& method, call_operation& settled, grpc::ByteBuffer& reply);

}  // namespace detail

/// Base of generated services: a service whose methods can be offered by a server. The methods are coroutines of the
/// service's strand, whoever calls, from this process or another.
class rpc_service : public service {
 public:
  using service::service;
  ~rpc_service() override {
    if (offered_) {
      misuse(std::string{"service '"} + name() + "' was destroyed while a server offers it: stop the server first");
    }
  }
  /// In the order of the .proto file.
  virtual std::span<const served_method> methods() const noexcept = 0;

 private:
  friend server;
  bool offered_ = false;  // from the server's start to its stop
};

/// A call of one method of a service in this process, and the service's end of a call from another.
template <class Service, class Request, class Reply>
class method_call final : public local_call<Reply> {
 public:
  using method = reply<Reply> (Service::*)(Request&);

  method_call(Service& to, const method_info& info, method m) : local_call<Reply>{to, info.path}, method_{m} {}
  template <class R>
  method_call(Service& to, const method_info& info, method m, R&& request)
      : local_call<Reply>{to, info.path}, method_{m}, request_{std::forward<R>(request)} {}

  Request& request() noexcept { return request_; }

 private:
  weft::reply<Reply> make_handler() override { return (static_cast<Service&>(this->to()).*method_)(request_); }

  method method_;
  Request request_;
};

namespace detail {

/// The entries of a method table.
template <class Service, class Request, class Reply, auto Method, const method_info& Info>
struct served {
  using operation = method_call<Service, Request, Reply>;

  static made_call make(rpc_service& to, const served_method&) {
    auto* made = new operation{static_cast<Service&>(to), Info, Method};
    return {call_holder{made}, made, &made->request()};
  }
  static status take(call_operation& settled, reply_sink& sink) {
    return static_cast<operation&>(settled).take_to([&sink](const Reply& reply) { return sink.put(reply); });
  }
  static constexpr served_method entry{&Info, &make, &take};
};

template <class Service, class Request, class Reply, auto Method, const method_info& Info>
struct served_streaming {
  using operation = stream_method<Service, Request, Reply, decltype(Method), stream_bytes, stream_bytes>;

  static served_stream open(rpc_service& to, const served_method&, call_origin& from) {
    auto* made = new operation{static_cast<Service&>(to), Info, Method};
    made->comes_from(from);
    return {held_call<unit>{made}, made, made->requests(), made->replies()};
  }
  static constexpr served_method entry{&Info, nullptr, nullptr, &open};
};

}  // namespace detail
}  // namespace weft
