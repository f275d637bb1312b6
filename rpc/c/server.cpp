#include <weft/rpc/c/server.hpp>

#include <utility>

namespace weft::c {

running_server::running_server(std::shared_ptr<host> owner, const server_options& options,
                               std::vector<std::shared_ptr<local_service>> services)
    : object{kind::server, std::move(owner)}, addresses_{options.addresses.size()}, services_{std::move(services)} {
  server_ = std::make_unique<server>(this->owner().rt(), options);
  for (const auto& s : services_) server_->add(s->service());
}

status running_server::start() {
  auto started = server_->start();
  if (!started.ok()) return started;
  for (const auto& s : services_) ++s->users;
  return {};
}

result<int> running_server::port(std::size_t n) const {
  if (n >= addresses_)
    return weft::status{code::out_of_range, "the server has " + std::to_string(addresses_) + " addresses"};
  return server_->port(n);
}

// Its port can be asked for until the handle is gone.
void running_server::stop(duration grace) {
  server_->stop(grace);
  for (const auto& s : services_) --s->users;
  services_.clear();
}

}  // namespace weft::c

using namespace weft::c;

int weft_server_start(weft_handle runtime, const weft_server_options* options, weft_handle* server) {
  return with<host>(runtime, [&](const auto& h) {
    if (server == nullptr) return fail(WEFT_INVALID_ARGUMENT, "server is NULL");
    const auto said = take(options, "weft_server_options");
    if (!said.ok()) return fail(said.status());
    std::vector<std::shared_ptr<local_service>> services;
    if (const int code = take_services(*h, said->services, said->services_count, services); code != WEFT_OK) {
      return code;
    }
    weft::server_options all;
    if (said->addresses != nullptr) {
      all.addresses.clear();
      for (std::size_t i = 0; i < said->addresses_count; ++i)
        all.addresses.push_back(text_or_empty(said->addresses[i]));
      if (all.addresses.empty()) return fail(WEFT_INVALID_ARGUMENT, "weft_server_options has no address");
    }
    all.plain_text_on_network = said->plain_text_on_network != 0;
    if (said->tls_certificate != nullptr || said->tls_key != nullptr || said->tls_client_authorities != nullptr) {
      all.tls.emplace();
      all.tls->certificate = text_or_empty(said->tls_certificate);
      all.tls->key = text_or_empty(said->tls_key);
      all.tls->client_authorities = text_or_empty(said->tls_client_authorities);
    }
    if (said->running != 0) all.running = said->running;
    if (said->request_bytes > INT32_MAX) return fail(WEFT_INVALID_ARGUMENT, "weft_server_options.request_bytes");
    if (said->request_bytes != 0) all.request_bytes = static_cast<int>(said->request_bytes);
    if (h->server_made) {
      return fail(WEFT_FAILED_PRECONDITION, "this runtime has or had a server: make a new runtime for another");
    }
    const host::turn mine{*h};
    if (!mine) return host::not_my_turn();
    auto made = std::make_shared<running_server>(h, all, std::move(services));
    if (auto s = made->start(); !s.ok()) return fail(s);
    h->server_made = true;
    *server = handles::all().add(std::move(made));
    return static_cast<int>(WEFT_OK);
  });
}

int weft_server_port(weft_handle server, size_t n, int* port) {
  return with<running_server>(server, [&](const auto& s) {
    if (port == nullptr) return fail(WEFT_INVALID_ARGUMENT, "port is NULL");
    const auto at = s->port(n);
    if (!at.ok()) return fail(at.status());
    *port = *at;
    return static_cast<int>(WEFT_OK);
  });
}

int weft_server_stop(weft_handle server, int64_t grace_ms) {
  return with<running_server>(server, [&](const auto& s) {
    const host::turn mine{s->owner()};
    if (!mine) return host::not_my_turn();
    s->stop(std::chrono::milliseconds{std::max<std::int64_t>(0, grace_ms)});
    handles::all().remove(server);
    return static_cast<int>(WEFT_OK);
  });
}
