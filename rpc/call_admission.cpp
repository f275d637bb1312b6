#include <weft/rpc/call_admission.hpp>

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <exception>
#include <utility>
#include <vector>

namespace weft::detail {
namespace {

// "ipv4:127.0.0.1:40312" without the port; all Unix sockets are one.
std::string address_of(const std::string& peer) {
  if (peer.starts_with("unix")) return "unix";
  return peer.substr(0, peer.rfind(':'));
}

std::vector<std::string> certificate_names(const grpc::ServerContext& context) {
  std::vector<std::string> names;
  const auto auth = context.auth_context();
  if (!auth || !auth->IsPeerAuthenticated()) return names;
  for (const char* property : {GRPC_X509_SAN_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
    for (const auto& value : auth->FindPropertyValues(property)) names.emplace_back(value.data(), value.size());
  }
  return names;
}

}  // namespace

status call_admission::enter(server_origin& call, const char* method) {
  if (auto s = enter_session(call, method); !s.ok()) return s;
  return check_policy(call, method);
}

status call_admission::enter_session(server_origin& stream, const char* method) {
  if (auto s = count(stream); !s.ok()) return s;
  if (auto s = measure_metadata(stream, method); !s.ok()) return s;
  return asks_who_ ? find_out_who(stream, method) : status{};
}

status call_admission::find_out_whether_it_may(server_origin& call, const char* method) {
  if (auto s = find_out_who(call, method); !s.ok()) return s;
  return check_policy(call, method);
}

// It has been counted among all.
status call_admission::look_closer(server_origin& call) {
  if (options_.running_per_peer != 0) {
    call.address_ = address_of(call.peer());
    ++of_peer_[call.address_];
  }
  if (running_ > options_.running) {
    ++counters_.refused;
    return resource_exhausted("the server has as many calls in progress as it may");
  }
  if (of_peer_[call.address_] > options_.running_per_peer) {
    ++counters_.refused;
    return resource_exhausted("the server has as many calls of this client in progress as it may");
  }
  return {};
}

status call_admission::measure_metadata(const server_origin& call, const char* method) {
  constexpr std::size_t overhead = 32;  // of an entry, as HTTP/2 counts it
  std::size_t bytes = 0;
  for (const auto& [key, value] : call.context().client_metadata()) bytes += key.size() + value.size() + overhead;
  if (bytes <= static_cast<std::size_t>(options_.metadata_bytes)) return {};
  ++counters_.refused;
  return resource_exhausted(std::string{method} + ": the metadata have " + std::to_string(bytes) + " bytes, and " +
                            std::to_string(options_.metadata_bytes) + " are taken");
}

status call_admission::check_policy(const server_origin& call, const char* method) {
  if (options_.policy.empty()) return {};
  auto s = options_.policy.check(method, call.identity_);
  if (!s.ok()) ++counters_.denied;
  return s;
}

void call_admission::leave(server_origin& call) noexcept {
  --running_;
  if (call.address_.empty()) return;
  const auto of_peer = of_peer_.find(call.address_);
  if (--of_peer->second == 0) of_peer_.erase(of_peer);
}

status call_admission::find_out_who(server_origin& call, const char* method) {
  const auto names = by_certificate_ ? certificate_names(call.context()) : std::vector<std::string>{};
  if (options_.authenticate) {
    try {
      auto identity = options_.authenticate({method, call.received(), call.peer(), names});
      if (!identity.ok()) {
        ++counters_.denied;
        return std::move(identity).status();
      }
      call.identity_ = std::move(*identity);
    } catch (...) {  // whatever a user throws
      ++counters_.denied;
      return {code::unauthenticated, "the authenticator failed"};
    }
  } else if (!names.empty()) {
    call.identity_ = names.front();
  }
  return {};
}

}  // namespace weft::detail
