#include <weft/rpc/health.hpp>

#include <utility>
#include <weft/runtime/with_timeout.hpp>

#include "grpc/health/v1/health.weft.hpp"

namespace weft {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// While one looks on.
struct health::watcher {
  watcher(health& h, std::string name) : of{h}, service{std::move(name)} { of.watchers_.push_back(this); }
  ~watcher() {
    std::erase(of.watchers_, this);
    of.look_whether_gone();
  }
  watcher(const watcher&) = delete;

  health& of;
  const std::string service;
  event changed;
};

health::health(runtime& rt, service_options options) : rpc_service{rt, options} {}

std::span<const served_method> health::methods() const noexcept {
  static constexpr served_method table[] = {
      detail::served<health, HealthCheckRequest, HealthCheckResponse, &health::check, Health::Check_info>::entry,
      detail::served_streaming<health, HealthCheckRequest, HealthCheckResponse, &health::watch,
                               Health::Watch_info>::entry,
  };
  return table;
}

void health::set(std::string service, bool serving) {
  const auto on_strand = [](health* h, std::string name, bool now) -> task<> {
    h->apply(name, now);
    co_return;
  };
  start("health change", on_strand, this, std::move(service), serving);
}

void health::set_all_not_serving() {
  const auto on_strand = [](health* h) -> task<> {
    h->drain();
    co_return;
  };
  start("health drain", on_strand, this);
}

void health::apply(const std::string& service, bool serving) {
  serving_[service] = serving && !draining_;
  for (auto* w : watchers_) {
    if (w->service == service) w->changed.set();
  }
}

void health::drain() {
  draining_ = true;
  for (auto& [name, serving] : serving_) serving = false;
  for (auto* w : watchers_) w->changed.set();
  look_whether_gone();
}

void health::look_whether_gone() {
  if (draining_ && watchers_.empty()) gone_.set();
}

task<status> health::watchers_gone() {
  const auto on_strand = [](health* h) -> task<status> { co_return co_await h->gone_.wait(); };
  auto gone = co_await call([this, on_strand] { return on_strand(this); }, within{duration::max()});
  co_return status_of(gone);
}

int health::state_of(const std::string& service) const {
  const auto known = serving_.find(service);
  if (known == serving_.end()) return HealthCheckResponse::SERVICE_UNKNOWN;
  return known->second ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

reply<HealthCheckResponse> health::check(HealthCheckRequest& r) {
  const auto state = state_of(r.service());
  if (state == HealthCheckResponse::SERVICE_UNKNOWN) co_return not_found("no service '" + r.service() + "'");
  HealthCheckResponse answer;
  answer.set_status(static_cast<HealthCheckResponse::ServingStatus>(state));
  co_return answer;
}

task<status> health::watch(HealthCheckRequest& r, writer<HealthCheckResponse>& out) {
  watcher mine{*this, r.service()};
  int told = -1;
  for (;;) {
    mine.changed.reset();
    if (const auto state = state_of(mine.service); state != told) {
      HealthCheckResponse answer;
      answer.set_status(static_cast<HealthCheckResponse::ServingStatus>(state));
      if (auto s = co_await out.write(std::move(answer)); !s.ok()) co_return s;
      told = state;
    } else if (draining_) {
      co_return unavailable("the process is about to end");
    } else if (auto s = co_await mine.changed.wait(); !s.ok()) {
      co_return s;
    }
  }
}

}  // namespace weft
