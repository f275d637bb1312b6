#pragma once
#include <google/protobuf/message_lite.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>
#include <weft/rpc/client_stream.hpp>
#include <weft/rpc/method_name.hpp>
#include <weft/rpc/named_call.hpp>
#include <weft/rpc/raw_message.hpp>
#include <weft/runtime/call.hpp>

namespace google::protobuf {
class DescriptorPool;
class DynamicMessageFactory;
}  // namespace google::protobuf

namespace weft {

class peer;
class rpc_service;
namespace detail {
struct named_method;
}

/// Knows where services are, and calls their methods by name: `co_await rpc.call<PlayReply>("cards.Play", request)`. Names
/// are written as `method_name` has it. For what is not known when a program is compiled: consoles, gateways, scripts,
/// configuration. Otherwise a generated client is checked by the compiler, and cheaper within a process, where a call by name
/// goes through bytes.
///
/// A call by name is a call: where it resumes, its deadline, cancellation, metadata, one way (`std::move(call).send()`) and
/// errors are those of a client's. Errors of its own, known before anything is sent:
///   INVALID_ARGUMENT  the name is malformed; the method streams (or, for `stream`, does not); a message has another type
///                     than the method's, or is none
///   NOT_FOUND         no such service or alias; those that are there are listed
///   UNIMPLEMENTED     the service has no such method; those it has are listed
/// A method of a peer that no descriptor describes is not checked: the peer answers for it.
///
/// Any thread may add and call at any time. Declare it before the peers that it is given: it must outlive them, since a peer
/// remembers the methods called through it, and the calls made through it. Services must outlive the calls.
class directory {
 public:
  /// Methods of a service that no descriptor describes which can be called: RESOURCE_EXHAUSTED beyond, since each is
  /// remembered.
  static constexpr std::size_t most_undescribed = 1'024;

  /// With the descriptors of the code that is linked in.
  directory();
  /// With those of `types`, which must outlive it.
  explicit directory(const google::protobuf::DescriptorPool& types);
  ~directory();
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;

  /// Calls of `service`, its full name, go there from now on, wherever they went before.
  void add(std::string_view service, peer& to);
  void add(std::string_view service, rpc_service& to);
  /// `name` stands for `service`, which may be added later. A service of that very name comes first.
  void alias(std::string_view name, std::string_view service);

  template <class Reply>
  weft::call<Reply> call(std::string_view method, const google::protobuf::MessageLite& request,
                         call_options options = {}) const {
    auto found = find(method, request, &Reply::default_instance());
    return {held_call<Reply>{new detail::typed_named_call<Reply>{std::move(found)}}, std::move(options)};
  }

  /// The request and the reply as they are on the wire.
  weft::call<std::string> call_bytes(std::string_view method, std::string_view request,
                                     call_options options = {}) const;

  /// Both as protobuf's JSON. INVALID_ARGUMENT, with the path of the field, when `request` is no such message;
  /// FAILED_PRECONDITION when the descriptors do not have the service.
  weft::call<std::string> call_json(std::string_view method, std::string_view request, call_options options = {}) const;

  /// A method that streams, messages as they are on the wire; a single request or reply is a stream of one.
  result<client_reader_writer<raw_message, raw_message>> stream(std::string_view method,
                                                                call_options options = {}) const;

 private:
  struct place;

  // With the lock.
  place& make(std::string_view service);
  result<place*> find_place(std::string_view service, std::string_view asked) const;
  result<detail::named_method*> find_method(place& at, std::string_view method) const;
  std::string known_names() const;

  struct target {
    const place* at;
    const detail::named_method* method;
  };
  result<target> look_up(std::string_view method) const;
  static detail::route to(const target& t, const google::protobuf::MessageLite& request);
  detail::route find(std::string_view method, const google::protobuf::MessageLite& request,
                     const google::protobuf::MessageLite* reply) const;

  const google::protobuf::DescriptorPool& types_;
  const std::unique_ptr<google::protobuf::DynamicMessageFactory> messages_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<place>, std::less<>> places_;
  std::vector<std::unique_ptr<place>> former_;  // peers remember their methods
  std::map<std::string, std::string, std::less<>> aliases_;
};

}  // namespace weft
