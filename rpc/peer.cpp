#include <weft/rpc/peer.hpp>

#include <arpa/inet.h>
#include <grpc/grpc.h>

#include <algorithm>
#include <charconv>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/detail/open_channels.hpp>

namespace weft {
namespace {

grpc::ChannelArguments arguments_for(const peer_options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, options.grpc_retries ? 1 : 0);
  if (options.keepalive > duration::zero()) {
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, to_milliseconds(options.keepalive));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, to_milliseconds(options.keepalive_timeout));
  }
  // Otherwise a game server is found again only minutes after it was restarted. The first is, in spite of its name, how long
  // one attempt to connect may take: short ones fail on a busy machine.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, to_milliseconds(options.first_backoff));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, to_milliseconds(options.most_backoff));
  for (const auto& [name, value] : options.arguments) arguments.SetInt(name, value);
  return arguments;
}

// Of a Unix socket there is none. gRPC takes a port modulo 65,536.
bool has_port(const std::string& address) {
  if (address.starts_with("unix")) return true;
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return false;
  int port = 0;
  const auto* const end = address.data() + address.size();
  const auto [last, error] = std::from_chars(address.data() + colon + 1, end, port);
  return error == std::errc{} && last == end && port > 0 && port <= 65'535;
}

bool is_loopback(std::string host) {
  if (host.starts_with("localhost:") || host.starts_with("[::1]")) return true;
  // 127.0.0.0/8 by number: a name may begin with "127." too.
  host.resize(std::min(host.find(':'), host.size()));
  in_addr number{};
  constexpr unsigned loopback = 127;
  return inet_pton(AF_INET, host.c_str(), &number) == 1 && ntohl(number.s_addr) >> 24U == loopback;
}

}  // namespace

bool is_local_address(const std::string& address) {
  if (address.starts_with("unix:") || address.starts_with("unix-abstract:")) return true;
  // "ipv4:" and "ipv6:" may stand before several.
  auto rest = address.substr(address.starts_with("ipv4:") || address.starts_with("ipv6:") ? 5 : 0);
  for (auto comma = rest.find(','); comma != std::string::npos; comma = rest.find(',')) {
    if (!is_loopback(rest.substr(0, comma))) return false;
    rest.erase(0, comma + 1);
  }
  return is_loopback(rest);
}

peer::peer(rpc_runtime& rt, const std::string& address, const peer_options& options)
    : address_{address}, channel_{std::make_shared<detail::channel>(rt, address, options)} {}

peer::~peer() = default;

const status& peer::problem() const noexcept { return channel_->problem(); }

namespace detail {

namespace {

weft::metadata as_metadata(const std::vector<std::string>& keys) {
  weft::metadata m;
  for (const auto& key : keys) m.add(key, "");
  return m;
}

// As keys come.
std::vector<std::string> lower_case(const std::vector<std::string>& keys) {
  std::vector<std::string> lower;
  for (const auto& [key, none] : as_metadata(keys)) lower.push_back(key);
  return lower;
}

result<std::shared_ptr<grpc::ChannelCredentials>> credentials_for(const std::string& address,
                                                                  const peer_options& options) {
  if (!has_port(address)) return invalid_argument("that is no address: \"host:port\", or \"unix:path\"");
  if (options.connections < 1) {
    return invalid_argument("it needs a connection, not " + std::to_string(options.connections));
  }
  if (options.first_backoff <= duration::zero() || options.most_backoff < options.first_backoff) {
    return invalid_argument("its backoff begins above 0 and ends no lower");
  }
  if (auto s = options.metadata.check(); !s.ok()) return s;
  for (const auto& policy : options.retries) {
    if (auto s = policy.check(); !s.ok()) return s;
  }
  if (!std::ranges::all_of(options.middleware, [](const auto& m) { return static_cast<bool>(m); })) {
    return invalid_argument("peer_options::middleware: one is null");
  }
  if (auto s = as_metadata(options.forward).check(); !s.ok()) return s;
  if (options.tls) return credentials_of(*options.tls);
  if (!options.plain_text_on_network && !is_local_address(address)) {
    return invalid_argument("plain text is for loopback and Unix sockets only: use TLS, or allow it");
  }
  return grpc::InsecureChannelCredentials();
}

}  // namespace

channel::channel(rpc_runtime& rt, const std::string& address, const peer_options& options)
    : owner_{rt},
      all_{rt.queue().channels()},
      address_{address},
      metadata_{options.metadata},
      retries_{options.retries},
      middleware_{options.middleware},
      forwarded_{lower_case(options.forward)} {
  const auto credentials = credentials_for(address, options);
  if (!credentials.ok()) {
    problem_ = invalid_argument("peer '" + address + "': " + credentials.status().message());
    return;
  }
  auto arguments = arguments_for(options);
  if (options.tls && !options.tls->server_name.empty()) arguments.SetSslTargetNameOverride(options.tls->server_name);
  // Channels to one address share a connection otherwise.
  if (options.connections > 1) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  for (int i = 0; i < options.connections; ++i) {
    connections_.emplace_back(grpc::CreateCustomChannel(address, *credentials, arguments));
    all_->add(connections_.back().shared());
  }
}

channel::~channel() {
  for (auto& one : connections_) all_->leave(one.shared());
}

const retry_policy* channel::retry_of(const method_info& method) const noexcept {
  for (const auto& policy : retries_) {
    if (policy.covers(method.path)) return policy.attempts > 1 ? &policy : nullptr;
  }
  return nullptr;
}

// gRPC tells a call's peer once a connection has it; before that, what the channel was made for.
// A call that reached a connection bears its address, once that has answered or has broken. One that ended here before,
// by its deadline or its caller, never does.
bool channel::never_left(const grpc::ClientContext& context, const grpc::Status& outcome) const {
  if (outcome.error_code() != grpc::StatusCode::UNAVAILABLE) return false;
  if (address_.starts_with("unix") || address_.starts_with("ipv")) return false;  // which both look the same
  const auto peer = context.peer();
  return peer == address_ || peer == "dns:" + address_ || peer == "dns:///" + address_;
}

const client_method& connection::registered(const method_info& method) {
  auto& known = methods_[&method];
  if (!known || known->path != method.path) known = std::make_unique<known_method>(method.path, channel_);
  return known->made;
}

}  // namespace detail
}  // namespace weft
