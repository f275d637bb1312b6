#include <weft/runtime/this_call.hpp>

#include <string>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/service_call.hpp>

namespace weft {

const char* handled_call::method() const noexcept { return call_->method(); }
time_point handled_call::deadline() const noexcept { return call_->own_context().deadline(); }

std::string handled_call::peer() const {
  const auto* origin = call_->origin();
  return origin != nullptr ? origin->peer() : "local";
}

const std::string& handled_call::identity() const {
  static const std::string nobody;
  const auto* origin = call_->origin();
  return origin != nullptr ? origin->identity() : nobody;
}

const metadata& handled_call::metadata() const {
  auto* origin = call_->origin();
  return origin != nullptr ? origin->received() : call_->extras().sent;
}

bool handled_call::came_compressed() const noexcept {
  auto* origin = call_->origin();
  return origin != nullptr && origin->request_came_compressed();
}

std::shared_ptr<void> handled_call::way_back() const {
  auto* origin = call_->origin();
  return origin != nullptr ? origin->way_back() : nullptr;
}

metadata& handled_call::headers() const { return call_->extras().headers; }
metadata& handled_call::trailers() const { return call_->extras().trailers; }
void handled_call::send_headers() const { call_->send_headers(); }
void handled_call::compress(compression c) const { call_->extras().compress_reply = c; }

service_call& this_call::handler_of(const context& ctx) noexcept {
  auto* call = ctx.handler();
  if (call == nullptr) misuse(std::string{"this_call in task '"} + ctx.name() + "', which is no part of a handler");
  return *call;
}

}  // namespace weft
