#include <prometheus/metric_type.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <weft/rpc/prometheus/runtime_metrics.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/errand.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

struct service_numbers {
  std::size_t waiting = 0;
  std::size_t running = 0;
  service_counters counters;

  void add(const service& s) {
    waiting += s.waiting();
    running += s.running();
    const auto& c = s.counters();
    counters.started += c.started;
    counters.refused += c.refused;
    counters.expired += c.expired;
    counters.abandoned += c.abandoned;
    counters.threw += c.threw;
    counters.deadlocked += c.deadlocked;
  }
};

// What one worker says.
struct worker_numbers {
  worker_counters counters;
  std::map<std::string, service_numbers> services;  // by name: labels are to differ
  std::optional<server_counters> served;
  std::uint64_t calls_out = 0;
};

using labels = std::vector<ClientMetric::Label>;

void add(MetricFamily& to, const labels& of, double value) {
  ClientMetric m;
  m.label = of;
  to.type == MetricType::Counter ? m.counter.value = value : m.gauge.value = value;
  to.metric.push_back(std::move(m));
}

template <class From>
struct column {
  const char* name;
  const char* help;
  MetricType type;
  double (*value)(const From&);
};

template <class From>
void add_columns(std::vector<MetricFamily>& to, const std::vector<column<From>>& columns,
                 const std::vector<std::pair<labels, From>>& rows) {
  if (rows.empty()) return;
  for (const auto& c : columns) {
    MetricFamily family{c.name, c.help, c.type, {}};
    for (const auto& [of, row] : rows) add(family, of, c.value(row));
    to.push_back(std::move(family));
  }
}

template <auto Member, class From>
double of(const From& row) {
  return static_cast<double>(row.*Member);
}
template <auto Member>
double counter_of(const service_numbers& row) {
  return static_cast<double>(row.counters.*Member);
}

const std::vector<column<service_numbers>>& service_columns() {
  static const std::vector<column<service_numbers>> columns = {
      {"weft_service_waiting", "Calls in the mailbox.", MetricType::Gauge, &of<&service_numbers::waiting>},
      {"weft_service_running", "Handlers in progress.", MetricType::Gauge, &of<&service_numbers::running>},
      {"weft_service_started_total", "Handlers started.", MetricType::Counter, &counter_of<&service_counters::started>},
      {"weft_service_refused_total", "Calls refused: full, retiring or stopped.", MetricType::Counter,
       &counter_of<&service_counters::refused>},
      {"weft_service_expired_total", "Calls whose deadline passed in the mailbox.", MetricType::Counter,
       &counter_of<&service_counters::expired>},
      {"weft_service_abandoned_total", "Calls whose caller went while they waited.", MetricType::Counter,
       &counter_of<&service_counters::abandoned>},
      {"weft_service_threw_total", "Handlers that ended by an exception.", MetricType::Counter,
       &counter_of<&service_counters::threw>},
      {"weft_service_deadlocked_total", "Calls that would have closed a cycle of waits.", MetricType::Counter,
       &counter_of<&service_counters::deadlocked>}};
  return columns;
}

const std::vector<column<server_counters>>& server_columns() {
  static const std::vector<column<server_counters>> columns = {
      {"weft_server_calls_total", "Requests for a known method.", MetricType::Counter, &of<&server_counters::calls>},
      {"weft_server_malformed_total", "Requests that were no valid message.", MetricType::Counter,
       &of<&server_counters::malformed>},
      {"weft_server_unimplemented_total", "Requests for a method that is not here.", MetricType::Counter,
       &of<&server_counters::unimplemented>},
      {"weft_server_cancelled_total", "Calls whose client went before the reply.", MetricType::Counter,
       &of<&server_counters::cancelled>},
      {"weft_server_denied_total", "Calls of callers that are not known or not allowed to.", MetricType::Counter,
       &of<&server_counters::denied>},
      {"weft_server_refused_total", "Calls beyond the server's limits.", MetricType::Counter,
       &of<&server_counters::refused>}};
  return columns;
}

const std::vector<column<worker_counters>>& worker_columns() {
  static const std::vector<column<worker_counters>> columns = {
      {"weft_worker_entries_total", "Pieces of work run.", MetricType::Counter, &of<&worker_counters::entries>},
      {"weft_worker_sleeps_total", "Times with nothing to do.", MetricType::Counter, &of<&worker_counters::sleeps>},
      {"weft_worker_wakes_total", "Times woken by another thread.", MetricType::Counter, &of<&worker_counters::wakes>},
      {"weft_worker_timers_total", "Timers fired.", MetricType::Counter, &of<&worker_counters::timers>}};
  return columns;
}

}  // namespace

std::vector<MetricFamily> runtime_metrics::Collect() const {
  if (worker::current() != nullptr) misuse("runtime_metrics::Collect on a worker, which it would block");
  const auto workers = static_cast<std::size_t>(runtime_.workers());
  std::vector<worker_numbers> said(workers);
  std::vector<bool> answered(workers);
  const auto ask = [this](worker* w, worker_numbers* into) {
    return [this, w, into] {
      into->counters = w->counters();
      w->for_each_service([into](const service& s) { into->services[s.name()].add(s); });
      if (w->index() != 0) return;
      into->calls_out = runtime_.queue().counters().calls;
      if (server_ != nullptr) into->served = server_->counters();
    };
  };
  const auto until = std::chrono::steady_clock::now() + patience;
  std::deque<errand<decltype(ask(nullptr, nullptr))>> errands;
  for (std::size_t i = 0; i < workers; ++i) {
    auto& w = runtime_.worker_at(static_cast<int>(i));
    errands.emplace_back(w, ask(&w, &said[i]));
  }
  for (std::size_t i = 0; i < workers; ++i) answered[i] = errands[i].done_by(until);

  std::vector<std::pair<labels, service_numbers>> services;
  std::vector<std::pair<labels, server_counters>> served;
  std::vector<std::pair<labels, worker_counters>> counted;
  MetricFamily heard{"weft_worker_answered", "Whether it answered, or was busy.", MetricType::Gauge, {}};
  MetricFamily out{"weft_client_calls", "Calls that are out at peers.", MetricType::Gauge, {}};
  for (std::size_t i = 0; i < workers; ++i) {
    const ClientMetric::Label number{"worker", std::to_string(i)};
    add(heard, {number}, answered[i] ? 1 : 0);
    if (!answered[i]) continue;
    counted.emplace_back(labels{number}, said[i].counters);
    for (const auto& [name, numbers] : said[i].services) {
      services.emplace_back(labels{{"service", name}, number}, numbers);
    }
    if (said[i].served) served.emplace_back(labels{}, *said[i].served);
    if (i == 0) add(out, {}, static_cast<double>(said[i].calls_out));
  }
  std::vector<MetricFamily> all;
  add_columns(all, service_columns(), services);
  add_columns(all, server_columns(), served);
  add_columns(all, worker_columns(), counted);
  if (!out.metric.empty()) all.push_back(std::move(out));
  if (!heard.metric.empty()) all.push_back(std::move(heard));
  return all;
}

}  // namespace weft
