#include <weft/rpc/c/service.hpp>

#include <utility>
#include <weft/rpc/local_exchange.hpp>
#include <weft/rpc/named_call.hpp>
#include <weft/runtime/visit.hpp>

namespace weft::c {

host_service::host_service(host& owner, const std::string& full_name, const std::vector<method_said>& methods,
                           service_options options, settings s)
    : rpc_service{owner.rt(), options}, owner_{owner}, settings_{s} {
  infos_.reserve(methods.size());
  for (const auto& m : methods) {
    const auto* named = *owner.method(full_name + "/" + m.name);
    infos_.push_back({named->info.path, false, m.kind});
    const bool streams = m.kind != method_kind::unary;
    table_.push_back({&infos_.back(), streams ? nullptr : &make, streams ? nullptr : &take, streams ? &open : nullptr});
  }
}

const served_method* host_service::find(std::string_view path) const noexcept {
  for (const auto& m : table_) {
    if (path == m.info->path) return &m;
  }
  return nullptr;
}

made_call host_service::make(rpc_service& to, const served_method& self) {
  auto* made = new method_call<host_service, unparsed, unparsed>{static_cast<host_service&>(to), *self.info,
                                                                 &host_service::answer};
  return {call_holder{made}, made, &made->request()};
}

status host_service::take(call_operation& settled, reply_sink& sink) {
  auto outcome = static_cast<call_of<unparsed>&>(settled).take();
  return outcome.ok() ? sink.put(*outcome) : std::move(outcome).status();
}

served_stream host_service::open(rpc_service& to, const served_method& self, call_origin& from) {
  using handler = task<status> (host_service::*)(reader<raw_message>&, writer<raw_message>&);
  using operation = detail::stream_method<host_service, raw_message, raw_message, handler, detail::stream_bytes,
                                          detail::stream_bytes>;
  auto* made = new operation{static_cast<host_service&>(to), *self.info, &host_service::talk};
  made->comes_from(from);
  return {held_call<unit>{made}, made, made->requests(), made->replies()};
}

std::shared_ptr<request> host_service::make_request(const char* path) const {
  const auto* served = find(path);
  const auto* described = settings_.json ? owner_.types().method(path) : nullptr;
  conversation::json_types json;
  if (described != nullptr) json = {described->output_type(), described->input_type()};
  const request::from from{settings_.handle, settings_.user, settings_.ahead, json,
                           served->info->kind != method_kind::unary};
  return std::make_shared<request>(owner_.shared_from_this(), from);
}

weft::reply<unparsed> host_service::answer(unparsed& message) {
  const auto call = co_await this_call();
  auto& ctx = co_await current();
  const auto r = make_request(call.method());
  auto bytes = co_await r->serve(call, ctx, message.SerializeAsString());
  if (!bytes.ok()) co_return bytes.status();
  unparsed reply;
  if (!reply.ParseFromString(*bytes)) co_return internal_error("the service's reply is no message");
  co_return reply;
}

task<status> host_service::talk(reader<raw_message>& in, writer<raw_message>& out) {
  const auto call = co_await this_call();
  auto& ctx = co_await current();
  const auto r = make_request(call.method());
  auto outcome = co_await r->serve(call, ctx, in, out);
  co_return outcome;
}

status local_service::begin(const std::vector<host_service::method_said>& methods, const service_options& options,
                            host_service::settings s) {
  s.handle = handle();
  auto named = options;
  named.name = name_.c_str();
  for (const auto& m : methods) {
    if (const auto known = owner().method(name_ + "/" + m.name); !known.ok()) return known.status();
  }
  service_ = std::make_unique<host_service>(owner(), name_, methods, named, s);
  here_.add(name_, *service_);
  return {};
}

result<held_call<unparsed>> local_service::make(const named_method& m, const unparsed& request, order) {
  if (closed_) return unavailable("service " + name_ + " was closed");
  const auto* served = service_->find(m.path);
  if (served == nullptr) return unimplemented(name_ + " has no method " + m.path);
  if (served->open != nullptr) return invalid_argument(m.path + " streams: use weft_stream_open");
  detail::route r;
  r.name = m.info.path;
  r.local = new detail::local_exchange{*service_, *served, request};
  r.way.reset(r.local);
  return held_call<unparsed>{new detail::typed_named_call<unparsed>{std::move(r)}};
}

result<raw_stream> local_service::open(const named_method& m, call_options options) {
  if (closed_) return unavailable("service " + name_ + " was closed");
  return here_.stream(m.path, std::move(options));
}

status local_service::close() {
  if (users != 0) return failed_precondition("service " + name_ + " is offered by a server or a session");
  if (!service_) return {};
  visit(owner().home(), [this] { closed_ = true; });
  service_->stop_and_wait(stop_mode::abort);
  service_.reset();
  return {};
}

int take_services(const host& owner, const weft_handle* given, std::size_t count,
                  std::vector<std::shared_ptr<local_service>>& into) {
  if (given == nullptr && count != 0) return fail(WEFT_INVALID_ARGUMENT, "services is NULL");
  for (std::size_t i = 0; i < count; ++i) {
    const auto found = handles::all().find(given[i]);
    auto service = std::dynamic_pointer_cast<local_service>(found);
    if (!service || &service->owner() != &owner) return bad_handle(given[i], found.get());
    for (const auto& other : into) {
      if (other->name() == service->name()) return fail(WEFT_INVALID_ARGUMENT, service->name() + " is named twice");
    }
    into.push_back(std::move(service));
  }
  return WEFT_OK;
}

namespace {

result<std::vector<host_service::method_said>> methods_of(const host& owner, const types& known,
                                                          const std::string& name, const weft_service_options& said) {
  static_cast<void>(owner);
  std::vector<host_service::method_said> methods;
  if (said.methods == nullptr) {
    for (const auto* m : known.methods_of(name)) {
      const auto kind = (m->client_streaming() ? WEFT_METHOD_CLIENT_STREAM : 0) |
                        (m->server_streaming() ? WEFT_METHOD_SERVER_STREAM : 0);
      methods.push_back({m->name(), static_cast<method_kind>(kind)});
    }
    if (methods.empty()) {
      return failed_precondition("no methods were said, and the types of " + name + " are not known: weft_types_add");
    }
    return methods;
  }
  for (std::size_t i = 0; i < said.methods_count; ++i) {
    const auto& m = said.methods[i];
    if (!parse_method_name(name + "/" + text_or_empty(m.name)).ok()) {
      return invalid_argument("'" + text_or_empty(m.name) + "' is no method's name");
    }
    if (m.kind < WEFT_METHOD_UNARY || m.kind > WEFT_METHOD_BIDI_STREAM) {
      return invalid_argument(std::string{m.name} + ": " + std::to_string(m.kind) + " is no weft_method_kind");
    }
    for (const auto& other : methods) {
      if (other.name == m.name) return invalid_argument(other.name + " is named twice");
    }
    if (said.format == WEFT_JSON && known.method(name + "/" + m.name) == nullptr) {
      return failed_precondition("the types of " + name + "/" + m.name + " are not known: weft_types_add");
    }
    methods.push_back({m.name, static_cast<method_kind>(m.kind)});
  }
  return methods;
}

}  // namespace
}  // namespace weft::c

using namespace weft::c;

int weft_service_create(weft_handle runtime, const char* name, const weft_service_options* options,
                        weft_handle* service) {
  return with<host>(runtime, [&](const auto& h) {
    if (service == nullptr) return fail(WEFT_INVALID_ARGUMENT, "service is NULL");
    const auto said = take(options, "weft_service_options");
    if (!said.ok()) return fail(said.status());
    if (name == nullptr || !weft::is_service_name(name)) {
      return fail(WEFT_INVALID_ARGUMENT,
                  "'" + text_or_empty(name) + "' is no service's full name: \"package.Service\"");
    }
    if (said->format != WEFT_BYTES && said->format != WEFT_JSON) {
      return fail(WEFT_INVALID_ARGUMENT, "weft_service_options.format is neither WEFT_BYTES nor WEFT_JSON");
    }
    const auto methods = methods_of(*h, h->types(), name, *said);
    if (!methods.ok()) return fail(methods.status());
    weft::service_options service_options;
    if (said->exclusive != 0) service_options.reentrancy = weft::reentrancy::exclusive;
    service_options.running = said->running != 0 ? said->running : 1'024;
    if (said->waiting != 0) service_options.mailbox = said->waiting;
    host_service::settings settings;
    settings.user = said->user;
    settings.ahead = {said->read_ahead != 0 ? said->read_ahead : 16, said->write_ahead != 0 ? said->write_ahead : 64};
    settings.json = said->format == WEFT_JSON;
    const auto made = std::make_shared<local_service>(h, name);
    const auto handle = handles::all().add(made);
    if (auto s = made->begin(*methods, service_options, settings); !s.ok()) {
      handles::all().remove(handle);
      return fail(s);
    }
    *service = handle;
    return static_cast<int>(WEFT_OK);
  });
}
