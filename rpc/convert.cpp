#include <weft/rpc/convert.hpp>

#include <string>

namespace weft {

status from_grpc(const grpc::Status& s) {
  if (s.ok()) return {};
  const auto number = static_cast<int>(s.error_code());
  const auto known = number > 0 && number <= static_cast<int>(code::unauthenticated);
  return {known ? static_cast<code>(number) : code::unknown, s.error_message()};
}

status from_grpc(const grpc::Status& s, const char* method) {
  if (s.error_code() == grpc::DEADLINE_EXCEEDED && s.error_message() == "Deadline Exceeded") {
    return deadline_exceeded(std::string{method} + " took too long");
  }
  return from_grpc(s);
}

grpc::Status to_grpc(const status& s) {
  if (s.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(s.code()), s.message()};
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
