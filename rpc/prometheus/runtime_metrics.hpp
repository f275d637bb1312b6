#pragma once
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>
#include <weft/runtime/clock.hpp>

namespace weft {

class rpc_runtime;
class server;

/// What a runtime counts anyhow, for Prometheus: services (weft_service_waiting, weft_service_running,
/// weft_service_started_total, …, by service and worker; those with one name on one worker are added up), the server
/// (weft_server_calls_total, weft_server_denied_total, weft_server_refused_total, …), workers (weft_worker_entries_total, …,
/// and weft_worker_answered), and weft_client_calls, the calls that are out at peers.
///
///     auto metrics = std::make_shared<weft::runtime_metrics>(rt, &server);
///     exposer.RegisterCollectable(metrics);
///
/// Read when it is asked for, on any thread that is no worker. A worker is asked between two rounds and not waited for
/// longer than `patience`: one that stays in a handler says nothing that time, but weft_worker_answered is 0. The runtime and
/// the server must outlive the last `Collect`: stop whoever asks first.
class runtime_metrics final : public prometheus::Collectable {
 public:
  static constexpr duration patience = std::chrono::milliseconds{100};

  explicit runtime_metrics(rpc_runtime& rt, const server* offers = nullptr) noexcept : runtime_{rt}, server_{offers} {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  rpc_runtime& runtime_;
  const server* server_;
};

}  // namespace weft
