#include <weft/rpc/directory.hpp>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/empty.pb.h>

#include <limits>
#include <weft/rpc/json.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/stream_exchange.hpp>
#include <weft/runtime/misuse.hpp>

namespace weft {

using google::protobuf::Message;
using google::protobuf::MessageLite;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

namespace {

method_kind kind_of(const MethodDescriptor& m) {
  if (m.client_streaming()) return m.server_streaming() ? method_kind::bidi_stream : method_kind::client_stream;
  return m.server_streaming() ? method_kind::server_stream : method_kind::unary;
}

}  // namespace

namespace detail {

struct named_method {
  std::string path;
  method_info info;
  const served_method* served;        // of a service in this process
  const MethodDescriptor* described;  // if it is
};

}  // namespace detail

using detail::named_method;

struct directory::place {
  std::string service;
  peer* remote = nullptr;
  rpc_service* local = nullptr;
  const ServiceDescriptor* described = nullptr;
  std::map<std::string, std::unique_ptr<named_method>, std::less<>> methods;

  named_method& add(std::string_view method, const served_method* served) {
    auto made = std::make_unique<named_method>();
    made->path = "/" + service + "/" + std::string{method};
    made->info.path = made->path.c_str();
    made->served = served;
    made->described = described != nullptr ? described->FindMethodByName(std::string{method}) : nullptr;
    if (served != nullptr) {
      made->info.kind = served->info->kind;
    } else if (made->described != nullptr) {
      made->info.kind = kind_of(*made->described);
    }
    return *methods.insert_or_assign(std::string{method}, std::move(made)).first->second;
  }
};

namespace {

std::string quoted(std::string_view text) { return "'" + std::string{text} + "'"; }

// Messages whose bytes are all that is known: as unknown fields of an empty one, which keep their order.
using unparsed = google::protobuf::Empty;

class bytes_call final : public detail::named_call<std::string> {
 public:
  using named_call::named_call;

 private:
  result<std::string> read(detail::exchange& arrived) override {
    unparsed reply;
    if (auto s = arrived.take(reply); !s.ok()) return s;
    return reply.SerializeAsString();
  }
};

class json_call final : public detail::named_call<std::string> {
 public:
  json_call(detail::route r, const Message* reply) : named_call{std::move(r)}, reply_{reply} {}

 private:
  result<std::string> read(detail::exchange& arrived) override {
    const std::unique_ptr<Message> reply{reply_->New()};
    if (auto s = arrived.take(*reply); !s.ok()) return s;
    return to_json(*reply);
  }
  const Message* reply_;
};

bool streams(const named_method& m) {
  if (m.served != nullptr) return m.served->open != nullptr;
  return m.described != nullptr && (m.described->client_streaming() || m.described->server_streaming());
}

status check_unary(const named_method& m) {
  if (!streams(m)) return {};
  return invalid_argument(m.path.substr(1) + " streams: call it with a generated client, or by directory::stream");
}

status check_type(const named_method& m, const char* what, const google::protobuf::Descriptor& expected,
                  const MessageLite& given) {
  auto name = given.GetTypeName();
  if (name == expected.full_name()) return {};
  return invalid_argument("the " + std::string{what} + " of " + m.path.substr(1) + " is a " + expected.full_name() +
                          ", not a " + name);
}

// Answers for a stream of a service in this process where it comes from.
class local_origin final : public call_origin {
 public:
  explicit local_origin(metadata sent) : sent_{std::move(sent)} {}
  const metadata& received() override { return sent_; }
  std::string peer() const override { return "local"; }
  const std::string& identity() const override { return nobody_; }
  bool request_came_compressed() noexcept override { return false; }
  void call_gone() noexcept override { delete this; }

 private:
  const metadata sent_;
  const std::string nobody_;
};

using raw_stream = detail::outgoing_stream<raw_message, raw_message>;
using raw_pipe = detail::either_pipe<raw_message>;

raw_stream open_local(rpc_service& to, const served_method& method, metadata sent) {
  auto served = method.open(to, method, *new local_origin{std::move(sent)});
  return {std::move(served.call), served.end, raw_pipe{std::move(served.requests)},
          raw_pipe{std::move(served.replies)}};
}

raw_stream open_remote(peer& to, const method_info& method) {
  auto* made = new detail::stream_exchange{to.shared_channel(), method};
  return {held_call<unit>{made}, made, raw_pipe{made->requests()}, raw_pipe{made->replies()}};
}

}  // namespace

directory::directory() : directory{*google::protobuf::DescriptorPool::generated_pool()} {}

directory::directory(const google::protobuf::DescriptorPool& types)
    : types_{types}, messages_{std::make_unique<google::protobuf::DynamicMessageFactory>()} {
  messages_->SetDelegateToGeneratedFactory(true);
}

directory::~directory() = default;

directory::place& directory::make(std::string_view service) {
  if (!is_service_name(service)) {
    misuse("directory::add: " + quoted(service) + " is no service's full name: \"package.Service\"");
  }
  auto made = std::make_unique<place>();
  made->service = service;
  made->described = types_.FindServiceByName(made->service);
  auto& at = places_[made->service];
  if (at) former_.push_back(std::move(at));
  at = std::move(made);
  return *at;
}

void directory::add(std::string_view service, peer& to) {
  const std::lock_guard lock{mutex_};
  make(service).remote = &to;
}

void directory::add(std::string_view service, rpc_service& to) {
  const std::lock_guard lock{mutex_};
  auto& at = make(service);
  at.local = &to;
  for (const auto& entry : to.methods()) {
    const auto name = parse_method_name(entry.info->path);
    if (!name.ok() || name->service != service) {
      misuse("directory::add: service " + quoted(to.name()) + " has " + entry.info->path + ", which is no method of " +
             quoted(service));
    }
    at.add(name->method, &entry);
  }
}

void directory::alias(std::string_view name, std::string_view service) {
  if (!is_service_name(name) || !is_service_name(service)) {
    misuse("directory::alias: " + quoted(name) + " for " + quoted(service) + ": both are names joined by dots");
  }
  const std::lock_guard lock{mutex_};
  aliases_.insert_or_assign(std::string{name}, std::string{service});
}

std::string directory::known_names() const {
  std::string all;
  for (const auto& [name, at] : places_) all.append(all.empty() ? "" : ", ").append(name);
  for (const auto& [name, service] : aliases_) {
    all.append(all.empty() ? "" : ", ").append(name).append(" (").append(service).append(")");
  }
  return all.empty() ? "there are none" : "there are " + all;
}

result<directory::place*> directory::find_place(std::string_view service, std::string_view asked) const {
  if (const auto at = places_.find(service); at != places_.end()) return at->second.get();
  const auto alias = aliases_.find(service);
  if (alias == aliases_.end()) {
    return not_found(quoted(asked) + ": no service or alias " + quoted(service) + "; " + known_names());
  }
  if (const auto at = places_.find(alias->second); at != places_.end()) return at->second.get();
  return not_found(quoted(asked) + ": " + quoted(service) + " stands for " + alias->second + ", which is not here; " +
                   known_names());
}

result<named_method*> directory::find_method(place& at, std::string_view method) const {
  if (const auto known = at.methods.find(method); known != at.methods.end()) return known->second.get();
  if (at.local == nullptr) {
    if (at.described == nullptr) {
      if (at.methods.size() < most_undescribed) return &at.add(method, nullptr);
      return weft::status{code::resource_exhausted, "more than " + std::to_string(most_undescribed) + " methods of " +
                                                        at.service + " were called, of which no descriptor is here"};
    }
    if (at.described->FindMethodByName(std::string{method}) != nullptr) return &at.add(method, nullptr);
  }
  std::string all;
  if (at.local != nullptr) {
    for (const auto& [name, known] : at.methods) all.append(all.empty() ? "" : ", ").append(name);
  } else {
    for (int i = 0; i < at.described->method_count(); ++i) {
      all.append(all.empty() ? "" : ", ").append(at.described->method(i)->name());
    }
  }
  return unimplemented(at.service + " has no method " + quoted(method) + "; " +
                       (all.empty() ? "it has none" : "it has " + all));
}

result<directory::target> directory::look_up(std::string_view method) const {
  const auto name = parse_method_name(method);
  if (!name.ok()) return name.status();
  const std::lock_guard lock{mutex_};
  const auto at = find_place(name->service, method);
  if (!at.ok()) return at.status();
  const auto found = find_method(**at, name->method);
  if (!found.ok()) return found.status();
  return target{*at, *found};
}

detail::route directory::to(const target& t, const MessageLite& request) {
  detail::route r;
  r.name = t.method->info.path;
  if (t.at->local != nullptr) {
    r.local = new detail::local_exchange{*t.at->local, *t.method->served, request};
    r.way.reset(r.local);
  } else {
    r.way.reset(detail::exchange::make(*t.at->remote, t.method->info, request));
  }
  return r;
}

detail::route directory::find(std::string_view method, const MessageLite& request, const MessageLite* reply) const {
  detail::route refused;
  const auto found = look_up(method);
  refused.refusal = found.status();
  if (!found.ok()) return refused;
  const auto& m = *found->method;
  refused.refusal = check_unary(m);
  if (refused.refusal.ok() && m.described != nullptr && reply != nullptr) {
    refused.refusal = check_type(m, "request", *m.described->input_type(), request);
    if (refused.refusal.ok()) refused.refusal = check_type(m, "reply", *m.described->output_type(), *reply);
  }
  if (!refused.refusal.ok()) return refused;
  return to(*found, request);
}

call<std::string> directory::call_bytes(std::string_view method, std::string_view request, call_options options) const {
  unparsed message;
  detail::route r;
  constexpr std::size_t most = std::numeric_limits<int>::max();
  if (request.size() <= most && message.ParseFromArray(request.data(), static_cast<int>(request.size()))) {
    r = find(method, message, nullptr);
  } else {
    r.refusal = invalid_argument(quoted(method) + ": the bytes of the request are no message");
  }
  return {held_call<std::string>{new bytes_call{std::move(r)}}, std::move(options)};
}

call<std::string> directory::call_json(std::string_view method, std::string_view request, call_options options) const {
  detail::route r;
  const Message* reply = nullptr;
  const auto found = look_up(method);
  if (!found.ok()) {
    r.refusal = found.status();
  } else if (auto s = check_unary(*found->method); !s.ok()) {
    r.refusal = std::move(s);
  } else if (const auto* described = found->method->described; described == nullptr) {
    r.refusal = failed_precondition("there is no descriptor of " + found->method->path.substr(1) +
                                    ": link its generated code, or give the directory a pool that has it");
  } else {
    reply = messages_->GetPrototype(described->output_type());
    const std::unique_ptr<Message> message{messages_->GetPrototype(described->input_type())->New()};
    r.refusal = from_json(request, *message);
    if (r.refusal.ok()) r = to(*found, *message);
  }
  return {held_call<std::string>{new json_call{std::move(r), reply}}, std::move(options)};
}

result<client_reader_writer<raw_message, raw_message>> directory::stream(std::string_view method,
                                                                         call_options options) const {
  const auto found = look_up(method);
  if (!found.ok()) return found.status();
  const auto& m = *found->method;
  if (!streams(m) && (m.served != nullptr || m.described != nullptr)) {
    return invalid_argument(m.path.substr(1) + " does not stream: use directory::call");
  }
  if (found->at->local != nullptr) {
    auto copy = options;
    const auto extras = copy.take_extras();
    auto opened = open_local(*found->at->local, *m.served, extras ? extras->sent : metadata{});
    return client_reader_writer<raw_message, raw_message>{std::move(opened), std::move(options)};
  }
  return client_reader_writer<raw_message, raw_message>{open_remote(*found->at->remote, m.info), std::move(options)};
}

}  // namespace weft
