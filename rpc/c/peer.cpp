#include <weft/rpc/c/peer.hpp>

#include <utility>
#include <weft/rpc/c/reflected_types.hpp>
#include <weft/rpc/session/session_call.hpp>
#include <weft/rpc/stream_exchange.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/visit.hpp>

namespace weft::c {

raw_stream open_raw(weft::peer& to, const method_info& method, call_options options) {
  using pipes = detail::either_pipe<raw_message>;
  auto* made = new detail::stream_exchange{to.shared_channel(), method};
  detail::outgoing_stream<raw_message, raw_message> outgoing{held_call<unit>{made}, made, pipes{made->requests()},
                                                             pipes{made->replies()}};
  return raw_stream{std::move(outgoing), std::move(options)};
}

result<held_call<unparsed>> remote_peer::make(const named_method& m, const unparsed& request, order) {
  return held_call<unparsed>{new unary_call<unparsed>{peer_, m.info, request}};
}

result<raw_stream> remote_peer::open(const named_method& m, call_options options) {
  return open_raw(peer_, m.info, std::move(options));
}

open_session::open_session(std::shared_ptr<remote_peer> to, std::vector<std::shared_ptr<local_service>> offers,
                           session_options options)
    : target{kind::session, to->shared_owner()}, peer_{std::move(to)}, offers_{std::move(offers)} {
  for (const auto& s : offers_) {
    options.offers.push_back(&s->service());
    ++s->users;
  }
  session_.emplace(peer_->peer(), std::move(options));
}

session_state open_session::state() const {
  const std::lock_guard lock{asking_};
  return session_ ? session_->state() : session_state::closed;
}

void open_session::resume(std::uint64_t key) {
  if (!closed_) session_->gapless(key).resume();
}

result<held_call<unparsed>> open_session::make(const named_method& m, const unparsed& request, order o) {
  if (closed_) return unavailable("the session was closed");
  const auto lane = o.gapless ? session_->gapless(o.key) : session_->ordered(o.key);
  if (lane.guided()) return held_call<unparsed>{new unary_call<unparsed>{lane, m.info, request}};
  return held_call<unparsed>{new session_call<unparsed>{lane.outlet(), lane.order(), m.info, request}};
}

result<raw_stream> open_session::open(const named_method& m, call_options options) {
  return open_raw(peer_->peer(), m.info, std::move(options));
}

status open_session::close() {
  visit(owner().home(), [this] { closed_ = true; });
  const std::lock_guard lock{asking_};
  if (!session_) return {};
  session_.reset();
  for (const auto& s : offers_) --s->users;
  offers_.clear();
  return {};
}

}  // namespace weft::c

using namespace weft::c;

int weft_peer_open(weft_handle runtime, const char* address, const weft_peer_options* options, weft_handle* peer) {
  return with<host>(runtime, [&](const auto& h) {
    if (peer == nullptr || address == nullptr) return fail(WEFT_INVALID_ARGUMENT, "peer or address is NULL");
    const auto said = take(options, "weft_peer_options");
    if (!said.ok()) return fail(said.status());
    weft::peer_options all;
    auto sent = take_metadata(said->metadata, said->metadata_count);
    if (!sent.ok()) return fail(sent.status());
    all.metadata = std::move(*sent);
    if (said->connections != 0) all.connections = said->connections;
    all.plain_text_on_network = said->plain_text_on_network != 0;
    if (said->keepalive_ms < 0) all.keepalive = weft::duration::zero();
    if (said->keepalive_ms > 0) all.keepalive = std::chrono::milliseconds{said->keepalive_ms};
    if (said->tls != 0) {
      all.tls.emplace();
      all.tls->authorities = text_or_empty(said->tls_authorities);
      all.tls->certificate = text_or_empty(said->tls_certificate);
      all.tls->key = text_or_empty(said->tls_key);
      all.tls->server_name = text_or_empty(said->tls_server_name);
    } else if (said->tls_authorities != nullptr || said->tls_certificate != nullptr || said->tls_key != nullptr) {
      return fail(WEFT_INVALID_ARGUMENT, "weft_peer_options has files for TLS, but tls is 0");
    }
    const auto made = std::make_shared<remote_peer>(h, address, all);
    if (const auto& problem = made->peer().problem(); !problem.ok()) return fail(problem);
    *peer = handles::all().add(made);
    return static_cast<int>(WEFT_OK);
  });
}

int weft_types_ask(weft_handle peer, const char* service, const weft_call_options* options, weft_handle* call) {
  return with<remote_peer>(peer, [&](const auto& p) {
    if (service == nullptr || !weft::is_service_name(service)) {
      return fail(WEFT_INVALID_ARGUMENT,
                  "'" + text_or_empty(service) + "' is no service's full name: \"package.Service\"");
    }
    const auto said = take(options, "weft_call_options");
    if (!said.ok()) return fail(said.status());
    call_plan plan;
    auto unformatted = *said;
    unformatted.format = WEFT_BYTES;
    if (const int code = plan_call(p, reflected_types::method, &unformatted, plan); code != WEFT_OK) return code;
    const auto made = std::make_shared<reflected_types>(p, service, std::move(plan));
    const auto handle = handles::all().add(made);
    if (call != nullptr) *call = handle;
    weft::spawn(p->owner().rt().control(), "types", &reflected_types::run, made);
    return static_cast<int>(WEFT_OK);
  });
}

int weft_session_open(weft_handle peer, const weft_session_options* options, weft_handle* session) {
  return with<remote_peer>(peer, [&](const auto& p) {
    if (session == nullptr) return fail(WEFT_INVALID_ARGUMENT, "session is NULL");
    const auto said = take(options, "weft_session_options");
    if (!said.ok()) return fail(said.status());
    std::vector<std::shared_ptr<local_service>> offers;
    if (const int code = take_services(p->owner(), said->services, said->services_count, offers); code != WEFT_OK) {
      return code;
    }
    weft::session_options all;
    if (said->waiting != 0) all.waiting = said->waiting;
    if (said->resend_on_break != 0) all.on_break = weft::on_break::resend;
    all.fall_back_to_unary = said->no_fallback == 0;
    *session = handles::all().add(std::make_shared<open_session>(p, std::move(offers), std::move(all)));
    return static_cast<int>(WEFT_OK);
  });
}

int weft_session_state(weft_handle session, int* state) {
  return with<open_session>(session, [&](const auto& s) {
    if (state == nullptr) return fail(WEFT_INVALID_ARGUMENT, "state is NULL");
    *state = static_cast<int>(s->state());
    return static_cast<int>(WEFT_OK);
  });
}

int weft_session_resume(weft_handle session, uint64_t key) {
  return with<open_session>(session, [&](const auto& s) {
    s->owner().post([s, key] { s->resume(key); });
    return static_cast<int>(WEFT_OK);
  });
}
