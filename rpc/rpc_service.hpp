#pragma once
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/method.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/service.hpp>

namespace weft {

class rpc_service;
class server;

using call_holder = std::unique_ptr<call_operation, call_operation::holder>;

/// A method as it is served: how bytes become a call of the service, and its outcome bytes. Made by the generator.
struct served_method {
  const method_info* info;
  /// Parses the request; the call it makes is not begun. INVALID_ARGUMENT when the bytes are no such message.
  result<call_holder> (*accept)(rpc_service& to, const grpc::ByteBuffer& request);
  /// Takes the outcome of a settled call that `accept` made.
  status (*take)(call_operation& settled, grpc::ByteBuffer& reply);
};

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

  static result<call_holder> accept(rpc_service& to, const grpc::ByteBuffer& bytes) {
    auto* made = new operation{static_cast<Service&>(to), Info, Method};
    call_holder call{made};
    if (auto s = parse(bytes, made->request()); !s.ok()) return s;
    made->weighs(size_of(bytes));
    return call;
  }
  static status take(call_operation& settled, grpc::ByteBuffer& bytes) {
    auto outcome = static_cast<call_of<Reply>&>(settled).take();
    if (!outcome.ok()) return std::move(outcome).status();
    return serialize(*outcome, bytes);
  }
  static constexpr served_method entry{&Info, &accept, &take};
};

}  // namespace detail
}  // namespace weft
