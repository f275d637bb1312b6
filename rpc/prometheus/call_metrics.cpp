#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <weft/rpc/method_name.hpp>
#include <weft/rpc/prometheus/call_metrics.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {
namespace {

constexpr std::size_t codes = static_cast<std::size_t>(code::unauthenticated) + 1;

// As Go spells them.
constexpr std::array<const char*, codes> code_names = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

const char* name_of(method_kind k) noexcept {
  switch (k) {
    case method_kind::unary: return "unary";
    case method_kind::client_stream: return "client_stream";
    case method_kind::server_stream: return "server_stream";
    case method_kind::bidi_stream: return "bidi_stream";
  }
  return "unary";
}

prometheus::Labels labels_of(std::string_view path, method_kind kind) {
  const auto name = parse_method_name(path);
  return {{"grpc_type", name_of(kind)},
          {"grpc_service", name.ok() ? std::string{name->service} : std::string{}},
          {"grpc_method", name.ok() ? std::string{name->method} : std::string{path}}};
}

}  // namespace

// Those of one side. Shared by workers of several runtimes, and by those who read the registry.
class call_metrics::series {
 public:
  // What is counted of one method. Prometheus' own values are atomic.
  struct method {
    prometheus::Counter* started;
    prometheus::Histogram* seconds;
    std::array<prometheus::Counter*, codes> handled{};
  };

  series(prometheus::Registry& registry, const std::string& prefix, std::vector<double> bounds)
      : started_{prometheus::BuildCounter()
                     .Name(prefix + "_started_total")
                     .Help("Calls that began.")
                     .Register(registry)},
        handled_{prometheus::BuildCounter()
                     .Name(prefix + "_handled_total")
                     .Help("Calls that ended, by code.")
                     .Register(registry)},
        seconds_{prometheus::BuildHistogram()
                     .Name(prefix + "_handling_seconds")
                     .Help("Time from a call's begin to its end.")
                     .Register(registry)},
        bounds_{std::move(bounds)} {}

  method& of(std::string_view path, method_kind kind) {
    const std::lock_guard lock{mutex_};
    const auto known = methods_.find(path);
    if (known != methods_.end()) return known->second;
    const auto labels = labels_of(path, kind);
    return methods_.emplace(path, method{&started_.Add(labels), &seconds_.Add(labels, bounds_)}).first->second;
  }
  void ended(std::string_view path, method_kind kind, method& m, code c, duration took) {
    m.seconds->Observe(std::chrono::duration<double>{took}.count());
    handled(path, kind, m, c).Increment();
  }

 private:
  // Codes that have come only: most never do.
  prometheus::Counter& handled(std::string_view path, method_kind kind, method& m, code c) {
    const auto index = static_cast<std::size_t>(c);
    const std::lock_guard lock{mutex_};
    if (m.handled[index] == nullptr) {
      auto labels = labels_of(path, kind);
      labels.emplace("grpc_code", code_names[index]);
      m.handled[index] = &handled_.Add(labels);
    }
    return *m.handled[index];
  }

  prometheus::Family<prometheus::Counter>& started_;
  prometheus::Family<prometheus::Counter>& handled_;
  prometheus::Family<prometheus::Histogram>& seconds_;
  const std::vector<double> bounds_;
  std::mutex mutex_;
  std::map<std::string, method, std::less<>> methods_;
};

namespace {

template <class Series, class Call>
task<status> counted(Series series, Call* call, rest_of_call next) {
  auto& ctx = co_await current();
  auto& home = ctx.home().home();
  auto& method = series->of(call->method(), call->kind());
  method.started->Increment();
  const auto began = home.read_clock();
  auto s = co_await next();
  series->ended(call->method(), call->kind(), method, s.code(), home.read_clock() - began);
  co_return s;
}

}  // namespace

call_metrics::call_metrics(prometheus::Registry& registry, std::vector<double> bounds)
    : served_{std::make_shared<series>(registry, "grpc_server", bounds)},
      called_{std::make_shared<series>(registry, "grpc_client", bounds)} {}

server_middleware call_metrics::incoming() const {
  return [series = served_](weft::incoming& call, rest_of_call next) { return counted(series, &call, next); };
}

client_middleware call_metrics::outgoing() const {
  return [series = called_](weft::outgoing& call, rest_of_call next) { return counted(series, &call, next); };
}

}  // namespace weft
