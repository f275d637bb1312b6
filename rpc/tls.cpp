#include <weft/rpc/tls.hpp>

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>

namespace weft::detail {
namespace {

namespace tls_api = grpc::experimental;

// gRPC says of a file it cannot use only that handshakes fail. What the file holds is never said.
status check_file(const std::string& path, std::string_view what, std::string_view begin) {
  std::ifstream file{path};
  if (!file)
    return invalid_argument("tls: cannot read " + std::string{what} + " '" + path + "': " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (text.find(begin) == std::string::npos) {
    return invalid_argument("tls: " + std::string{what} + " '" + path + "' is no PEM file of one");
  }
  return {};
}

status check_certificate(const std::string& path) { return check_file(path, "certificate", "-----BEGIN CERTIFICATE"); }
status check_authorities(const std::string& path) { return check_file(path, "authorities", "-----BEGIN CERTIFICATE"); }

status check_pair(const std::string& certificate, const std::string& key) {
  if (certificate.empty() || key.empty()) {
    return invalid_argument("tls: a certificate and its key go together: '" + certificate + "' and '" + key + "'");
  }
  if (auto s = check_certificate(certificate); !s.ok()) return s;
  auto s = check_file(key, "key", "-----BEGIN ");
  return s.ok() ? check_file(key, "key", "PRIVATE KEY-----") : s;
}

unsigned seconds(duration d) {
  return static_cast<unsigned>(std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(d).count()));
}

}  // namespace

result<std::shared_ptr<grpc::ServerCredentials>> credentials_of(const server_tls& tls) {
  if (auto s = check_pair(tls.certificate, tls.key); !s.ok()) return s;
  const bool mutual = !tls.client_authorities.empty();
  if (mutual) {
    if (auto s = check_authorities(tls.client_authorities); !s.ok()) return s;
  }
  tls_api::TlsServerCredentialsOptions options{std::make_shared<tls_api::FileWatcherCertificateProvider>(
      tls.key, tls.certificate, tls.client_authorities, seconds(tls.reread))};
  options.watch_identity_key_cert_pairs();
  if (mutual) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return tls_api::TlsServerCredentials(options);
}

result<std::shared_ptr<grpc::ChannelCredentials>> credentials_of(const client_tls& tls) {
  const bool own = !tls.certificate.empty() || !tls.key.empty();
  if (own) {
    if (auto s = check_pair(tls.certificate, tls.key); !s.ok()) return s;
  }
  if (!tls.authorities.empty()) {
    if (auto s = check_authorities(tls.authorities); !s.ok()) return s;
  }
  tls_api::TlsChannelCredentialsOptions options;
  if (own || !tls.authorities.empty()) {
    options.set_certificate_provider(std::make_shared<tls_api::FileWatcherCertificateProvider>(
        tls.key, tls.certificate, tls.authorities, seconds(tls.reread)));
  }
  if (own) options.watch_identity_key_cert_pairs();
  if (!tls.authorities.empty()) options.watch_root_certs();
  return tls_api::TlsCredentials(options);
}

}  // namespace weft::detail
