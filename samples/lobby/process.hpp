#pragma once
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weft/rpc/health.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/signals.hpp>

#include "lobby/cards_service.hpp"
#include "lobby/chat_service.hpp"
#include "lobby/gate.hpp"
#include "lobby/lobby_service.hpp"
#include "lobby/v1/topology.pb.h"

namespace lobby {

enum class role { all, gate, lobby, cards, chat };
weft::result<role> role_from(const std::string& name);

/// The services that one process serves, and its way to the others, by the topology. The gate's process also serves what
/// the topology calls local.
class process {
 public:
  /// Errors: INVALID_ARGUMENT (the topology gives this role no way to a service it needs), UNAVAILABLE (cannot listen).
  static weft::result<std::unique_ptr<process>> start(role r, const v1::Topology& topology);
  ~process();

  /// Blocks until `asked` yields. SIGUSR1 writes a dump to stderr, at any time until this has stopped.
  void run_until(weft::signals& asked);

  struct left_over {
    std::size_t tasks = 0;
    std::size_t calls = 0;
  };
  /// Tells who asks for its health to send no more; lets games that have begun be played to their end, and then calls in
  /// progress finish, each as long as the topology says and until `asked` yields again; stops everything.
  left_over drain(weft::signals& asked);
  /// Lets the players go, finishes what runs, stops everything. Yields what was left over then: tasks, calls.
  left_over stop();

  /// Where players connect; empty in processes without the gate.
  std::string player_address() const { return listener_ ? listener_->address() : ""; }
  std::vector<std::string> served() const;
  gate* players() noexcept { return gate_.get(); }
  weft::rpc_runtime& runtime() noexcept { return rt_; }

 private:
  process(role r, const v1::Topology& topology) : role_{r}, topology_{topology} {}
  weft::status start();
  bool hosts(role which, const v1::Place& place) const;
  template <class Client, class Service>
  weft::result<Client> client_of(const char* name, const std::unique_ptr<Service>& here, const v1::Place& place,
                                 weft::session_options options = {});
  weft::task<> accept_players();
  weft::task<> write_dumps();
  weft::task<> play_out(weft::scope& scope);
  weft::task<> cut_short();
  void stop_server();

  role role_;
  v1::Topology topology_;
  std::unique_ptr<score_book> scores_;  // outlives the runtime
  weft::rpc_runtime rt_;
  weft::io io_;
  weft::signals dumps_{io_, {SIGUSR1}};
  weft::event no_more_dumps_;
  std::vector<std::unique_ptr<weft::peer>> peers_;
  std::vector<std::unique_ptr<weft::session>> sessions_;
  std::unique_ptr<gate> gate_;
  std::unique_ptr<chat_service> chat_;
  std::unique_ptr<cards_service> cards_;
  std::unique_ptr<lobby_service> lobby_;
  std::unique_ptr<weft::health> health_;
  std::unique_ptr<weft::server> server_;
  std::unique_ptr<weft::tcp_listener> listener_;
  weft::signals* asked_ = nullptr;  // while it drains
  bool hurried_ = false;            // they yielded again
  bool stopped_ = false;
};

}  // namespace lobby
