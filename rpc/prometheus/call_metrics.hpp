#pragma once
#include <prometheus/registry.h>

#include <memory>
#include <vector>
#include <weft/rpc/middleware.hpp>

namespace weft {

/// Counts calls in a Prometheus registry, by service, method and kind, as go-grpc-prometheus does, so that its dashboards fit:
/// grpc_server_started_total, grpc_server_handled_total (by grpc_code too), grpc_server_handling_seconds; grpc_client_… of
/// calls to peers. Calls that the server refuses before its middleware are in `runtime_metrics`.
///
///     weft::call_metrics calls{*registry};
///     weft::server_options options;
///     options.middleware = {calls.incoming()};
///
/// The middleware may outlive this, not the registry; several servers and peers may share it. Put it first in the list: it
/// counts what those after it make of a call. Cost: two looks into a map under a lock, and Prometheus' atomics.
class call_metrics {
 public:
  /// `bounds`: upper bounds of the histograms' buckets, in seconds.
  explicit call_metrics(prometheus::Registry& registry,
                        std::vector<double> bounds = {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10});

  server_middleware incoming() const;
  client_middleware outgoing() const;

 private:
  class series;

  std::shared_ptr<series> served_;
  std::shared_ptr<series> called_;
};

}  // namespace weft
