#include <weft/rpc/convert.hpp>

#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>

namespace weft {

status from_grpc(const grpc::Status& s) {
  if (s.ok()) return {};
  const auto number = static_cast<int>(s.error_code());
  const auto known = number > 0 && number <= static_cast<int>(code::unauthenticated);
  return {known ? static_cast<code>(number) : code::unknown, s.error_message(), s.error_details()};
}

status from_grpc(const grpc::Status& s, const char* method) {
  if (s.error_code() == grpc::DEADLINE_EXCEEDED && s.error_message() == "Deadline Exceeded") {
    return deadline_exceeded(std::string{method} + " took too long");
  }
  return from_grpc(s);
}

grpc::Status to_grpc(const status& s) {
  if (s.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(s.code()), s.message(), s.details()};
}

metadata from_grpc(const std::multimap<grpc::string_ref, grpc::string_ref>& m) {
  metadata out;
  for (const auto& [key, value] : m) {
    out.add({key.data(), key.size()}, {value.data(), value.size()});
  }
  return out;
}

grpc_compression_algorithm to_grpc(compression c) noexcept {
  switch (c) {
    case compression::none: return GRPC_COMPRESS_NONE;
    case compression::deflate: return GRPC_COMPRESS_DEFLATE;
    case compression::gzip: return GRPC_COMPRESS_GZIP;
  }
  return GRPC_COMPRESS_NONE;
}

void set_up(grpc::ClientContext& context, time_point deadline, const metadata& of_peer, const call_extras* extras) {
  if (deadline != never) context.set_deadline(to_timespec(deadline));
  for (const auto& [key, value] : of_peer) context.AddMetadata(key, value);
  if (extras == nullptr) return;
  for (const auto& [key, value] : extras->sent) context.AddMetadata(key, value);
  if (extras->wait_for_ready) context.set_wait_for_ready(true);
  if (extras->compress_request != compression::none) {
    context.set_compression_algorithm(to_grpc(extras->compress_request));
  }
}

int to_milliseconds(duration d) noexcept {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
  return static_cast<int>(std::min<decltype(count)>(count, std::numeric_limits<int>::max()));
}

gpr_timespec to_timespec(time_point t) noexcept {
  if (t == never) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  if (t == time_point::min()) return gpr_inf_past(GPR_CLOCK_MONOTONIC);
  return gpr_time_from_nanos(std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count(),
                             GPR_CLOCK_MONOTONIC);
}

time_point from_timespec(gpr_timespec t) noexcept {
  if (gpr_time_cmp(t, gpr_inf_future(t.clock_type)) == 0) return never;
  t = gpr_convert_clock_type(t, GPR_CLOCK_MONOTONIC);
  // A client may ask for centuries: "99999999H".
  constexpr auto latest = std::chrono::duration_cast<std::chrono::seconds>(never.time_since_epoch()).count() - 1;
  if (t.tv_sec > latest) return never;
  return time_point{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
}

}  // namespace weft
