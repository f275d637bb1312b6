#pragma once
#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "echo_service.hpp"

namespace test {

/// A server with the echo service, and a runtime of its own for the client, as in two processes.
struct two_sides {
  explicit two_sides(weft::server_options o = {}, weft::peer_options p = {}, weft::service_options s = {})
      : service{rt, s}, server{rt, std::move(o)} {
    server.add(service);
    const auto started = server.start();
    REQUIRE_MESSAGE(started.ok(), started);
    peer = std::make_unique<weft::peer>(client, server.address(), p);
  }
  ~two_sides() {
    client.stop();
    server.stop();
    service.stop_and_wait(weft::stop_mode::abort);
  }

  /// The outcome of one call, from the client's side.
  weft::result<v1::EchoReply> say(std::string text, weft::call_options options = {}) {
    return say_to(*peer, std::move(text), std::move(options));
  }
  weft::result<v1::EchoReply> say_to(weft::peer& to, std::string text, weft::call_options options = {}) {
    v1::EchoRequest request;
    request.set_text(std::move(text));
    return weft::sync_wait(client, weft::as_task(v1::Echo::client{to}.Say(request, std::move(options))));
  }
  std::string log() const {
    std::lock_guard lock{log_mutex};
    return logged;
  }

  mutable std::mutex log_mutex;
  std::string logged;
  weft::rpc_runtime rt{{.runtime = {.log = [this](std::string_view text) {
                          std::lock_guard lock{log_mutex};
                          logged.append(text).append("\n");
                        }}}};
  echo_service service;
  weft::server server;
  weft::rpc_runtime client{{.runtime = {.workers = 2}}};
  std::unique_ptr<weft::peer> peer;
};

}  // namespace test
