#include <weft/rpc/c/call.hpp>

#include <limits>
#include <utility>
#include <weft/rpc/c/request.hpp>
#include <weft/rpc/c/stream.hpp>

namespace weft::c {

call_options call_plan::options() const {
  call_options all{within{limit}};
  for (const auto& [key, value] : sent) all = std::move(all).with(key, value);
  if (wait_for_ready) all = std::move(all).wait_for_ready();
  return all;
}

duration limit_of(const weft_call_options& said) {
  if (said.deadline_ms < 0) return duration::max();
  if (said.deadline_ms == 0) return call_options::default_limit;
  constexpr auto most = std::chrono::duration_cast<std::chrono::milliseconds>(duration::max()).count();
  return std::chrono::milliseconds{std::min<std::int64_t>(said.deadline_ms, most)};
}

int plan_call(const std::shared_ptr<object>& to, const char* method, const weft_call_options* options,
              call_plan& plan) {
  const auto said = take(options, "weft_call_options");
  if (!said.ok()) return fail(said.status());
  auto* const owner = to->what() == kind::runtime ? static_cast<host*>(to.get()) : &to->owner();
  const auto named = owner->method(text_or_empty(method));
  if (!named.ok()) return fail(named.status());
  plan.method = *named;
  if (to->what() == kind::runtime) {
    auto routed = owner->route_of(**named);
    if (!routed.ok()) return fail(routed.status());
    plan.to = std::move(*routed);
  } else {
    plan.to = std::dynamic_pointer_cast<target>(to);
    if (!plan.to || to->what() == kind::stream) return bad_handle(to->handle(), to.get());
  }
  if (said->format != WEFT_BYTES && said->format != WEFT_JSON) {
    return fail(WEFT_INVALID_ARGUMENT, "weft_call_options.format is neither WEFT_BYTES nor WEFT_JSON");
  }
  if (said->format == WEFT_JSON) {
    plan.described = owner->types().method(plan.method->path);
    if (plan.described == nullptr) {
      return fail(WEFT_FAILED_PRECONDITION,
                  "the types of " + plan.method->path.substr(1) + " are not known: weft_types_add or weft_types_ask");
    }
  }
  auto sent = take_metadata(said->metadata, said->metadata_count);
  if (!sent.ok()) return fail(sent.status());
  plan.sent = std::move(*sent);
  if (said->request != 0) {
    const auto found = handles::all().find(said->request);
    plan.on_behalf_of = std::dynamic_pointer_cast<request>(found);
    if (!plan.on_behalf_of || &plan.on_behalf_of->owner() != owner) return bad_handle(said->request, found.get());
  }
  plan.user = said->user;
  plan.limit = limit_of(*said);
  plan.until = plan.limit == duration::max() ? never : saturating_add(owner->rt().time().now(), plan.limit);
  plan.wait_for_ready = said->wait_for_ready != 0;
  plan.one_way = said->one_way != 0;
  plan.order = {said->key, said->gapless != 0};
  if (said->read_ahead != 0) plan.read_ahead = said->read_ahead;
  if (said->write_ahead != 0) plan.write_ahead = said->write_ahead;
  return WEFT_OK;
}

result<std::string> to_bytes(const types& known, const google::protobuf::Descriptor* type, std::string_view message) {
  constexpr std::size_t most = std::numeric_limits<int>::max();
  if (message.size() > most) return invalid_argument("a message is larger than 2 GiB");
  if (type != nullptr) return known.to_bytes(*type, message);
  return std::string{message};
}

result<std::string> from_bytes(const types& known, const google::protobuf::Descriptor* type, std::string bytes) {
  return type != nullptr ? known.to_json(*type, bytes) : result<std::string>{std::move(bytes)};
}

void pending_call::begin(const unparsed& request) {
  if (owner().ending()) return;
  self_ = shared_from_this();
  owner().in_flight().insert(this);
  auto made = plan_.to->make(*plan_.method, request, plan_.order);
  if (!made.ok()) return end(made.status(), {});
  operation_ = std::move(*made);
  auto options = plan_.options().headers_into(headers_).trailers_into(trailers_).may_have_run_into(may_have_run_);
  operation_->carries(options.take_extras());
  if (plan_.on_behalf_of) {
    if (const auto* ctx = plan_.on_behalf_of->context_of_handler()) {
      plan_.on_behalf_of->calls(shared_from_this());
      operation_->begin(*ctx, plan_.limit);
    } else {
      return end(cancelled("the request on whose behalf it was made is over"), {});
    }
  } else {
    operation_->begin(owner().home(), plan_.until);
  }
  if (operation_->settled()) {
    completed();
  } else {
    operation_->tell(*this);
  }
}

void pending_call::give_up(status why) noexcept {
  if (!operation_ || operation_->settled()) return;
  const auto self = shared_from_this();
  giving_up_ = true;                    // a call in this process may be back beneath this
  operation_->give_up(std::move(why));  // ends in `completed`
  operation_.reset();
}

void pending_call::completed() noexcept {
  auto outcome = operation_->take();
  if (!outcome.ok()) return end(outcome.status(), {});
  const auto* type = plan_.described != nullptr ? plan_.described->output_type() : nullptr;
  auto reply = from_bytes(owner().types(), type, outcome->SerializeAsString());
  if (!reply.ok()) return end(reply.status(), {});
  end({}, std::move(*reply));
}

void pending_call::end(const status& outcome, std::string reply) {
  const auto self = std::move(self_);
  owner().in_flight().erase(this);
  if (plan_.one_way) {
    handles::all().remove(handle());
  } else {
    event e;
    e.type = WEFT_EVENT_REPLY;
    e.about = handle();
    e.user = plan_.user;
    e.ended_with(outcome);
    e.data = std::move(reply);
    e.method = plan_.method->path;
    e.headers = std::move(headers_);
    e.trailers = std::move(trailers_);
    e.may_have_run = may_have_run_;
    e.last = true;
    owner().events().put(std::move(e));
  }
  plan_.on_behalf_of.reset();
  plan_.to.reset();
  if (!giving_up_) operation_.reset();
}

}  // namespace weft::c

using namespace weft::c;

int weft_call(weft_handle to, const char* method, const void* request, size_t request_size,
              const weft_call_options* options, weft_handle* call) {
  return with<object>(to, [&](const auto& where) {
    call_plan plan;
    if (const int code = plan_call(where, method, options, plan); code != WEFT_OK) return code;
    const auto given = take_bytes(request, request_size, "request");
    if (!given.ok()) return fail(given.status());
    if (plan.described != nullptr && (plan.described->client_streaming() || plan.described->server_streaming())) {
      return fail(WEFT_INVALID_ARGUMENT, plan.method->path.substr(1) + " streams: use weft_stream_open");
    }
    auto& owner = plan.to->owner();
    const auto bytes =
        to_bytes(owner.types(), plan.described != nullptr ? plan.described->input_type() : nullptr, *given);
    if (!bytes.ok()) return fail(bytes.status());
    unparsed message;
    if (!message.ParseFromString(*bytes)) return fail(WEFT_INVALID_ARGUMENT, "the bytes of the request are no message");
    auto shared = plan.to->shared_owner();
    const auto made = std::make_shared<pending_call>(std::move(shared), std::move(plan));
    const auto handle = handles::all().add(made);
    if (call != nullptr) *call = handle;
    owner.post([made, message = std::move(message)] { made->begin(message); });
    return static_cast<int>(WEFT_OK);
  });
}

int weft_cancel(weft_handle call_or_stream) {
  return with<object>(call_or_stream, [&](const auto& o) {
    auto* const work = dynamic_cast<under_way*>(o.get());
    if (work == nullptr) return bad_handle(call_or_stream, o.get());
    o->owner().post([o, work] { work->give_up(weft::cancelled("the caller cancelled the call")); });
    return static_cast<int>(WEFT_OK);
  });
}
