#pragma once
#include <memory>
#include <string>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/result.hpp>

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace weft {

/// TLS from files in PEM, which are looked at again every `reread`: a certificate that is renewed in place is used by the
/// connections that come after. Certificate and key must change together: put both into a new folder, and rename.
struct server_tls {
  std::string certificate;  ///< The server's, with those between it and its authority.
  std::string key;
  /// Authorities by one of which each client's certificate must be signed (mTLS); empty: clients show none.
  std::string client_authorities = {};
  duration reread = std::chrono::seconds{10};
};

struct client_tls {
  /// Authorities by one of which the server's certificate must be signed; empty: the system's.
  std::string authorities = {};
  /// The client's own certificate and key, for servers that ask for one (mTLS).
  std::string certificate = {};
  std::string key = {};
  /// The name that the server's certificate must have; empty: that of the address.
  std::string server_name = {};
  duration reread = std::chrono::seconds{10};
};

namespace detail {

/// Errors: INVALID_ARGUMENT, which names the file that is missing, cannot be read, or has nothing of what it should have.
/// (What gRPC finds wrong later fails handshakes, not this.)
result<std::shared_ptr<grpc::ServerCredentials>> credentials_of(const server_tls& tls);
result<std::shared_ptr<grpc::ChannelCredentials>> credentials_of(const client_tls& tls);

}  // namespace detail
}  // namespace weft
