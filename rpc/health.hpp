#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>
#include <weft/rpc/rpc_service.hpp>
#include <weft/runtime/event.hpp>

namespace grpc::health::v1 {
class HealthCheckRequest;
class HealthCheckResponse;
}  // namespace grpc::health::v1

namespace weft {

/// Says whether this process and its services can take calls, in gRPC's standard protocol (grpc.health.v1.Health):
///
///     weft::health health{rt};
///     server.add(health);
///     health.set("lobby.v1.Cards", true);
///
/// The process as a whole, whose name is empty, serves from the start; a service is unknown until it is set: NOT_FOUND for
/// Check, SERVICE_UNKNOWN for Watch. A watcher is told at once and at each change; one that is slow is told the latest
/// state and not those between (except for the 16 messages that a stream holds).
class health final : public rpc_service {
 public:
  explicit health(runtime& rt, service_options options = {.name = "grpc.health.v1.Health"});

  /// Takes effect on this service's strand, in the order of the calls from one thread. Any thread, until it stops.
  void set(std::string service, bool serving);
  /// For a drain, before the server stops: what was set, and the process, is not serving from now on, whatever `set` says
  /// later. Watchers are told, and their streams end with UNAVAILABLE, so that the server's stop does not wait for them.
  /// Any thread.
  void set_all_not_serving();
  /// Ends when all is not serving and nobody watches any more. From any strand. Cancel: CANCELLED at once.
  task<status> watchers_gone();

  std::span<const served_method> methods() const noexcept override;

 private:
  using request = grpc::health::v1::HealthCheckRequest;
  using response = grpc::health::v1::HealthCheckResponse;
  struct watcher;

  reply<response> check(request& r);
  task<status> watch(request& r, writer<response>& out);

  int state_of(const std::string& service) const;
  void apply(const std::string& service, bool serving);
  void drain();
  void look_whether_gone();

  // On the strand.
  std::map<std::string, bool> serving_{{"", true}};
  std::vector<watcher*> watchers_;
  bool draining_ = false;
  event gone_;
};

}  // namespace weft
