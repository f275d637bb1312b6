#include <weft/rpc/server.hpp>

#include <algorithm>
#include <limits>
#include <stop_token>
#include <string>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/incoming_call.hpp>
#include <weft/rpc/incoming_session.hpp>
#include <weft/rpc/incoming_stream.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/server_state.hpp>
#include <weft/rpc/unknown_method.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/visit.hpp>

namespace weft {
namespace {

// Requests kept waiting at gRPC for a method that streams: they come one by one, and each arms the next.
constexpr int armed_streams = 8;

// gRPC 1.51.1 loses a call that comes just as the server begins to shut down: it looks for a request that is armed, finds that
// these have just been taken back, and puts itself where nobody looks again, if by then its connection has been closed; that
// keeps its socket and much of the server. So the shutdown begins on the worker that reads the connections, and those are
// closed no sooner than what other threads have read may take.
constexpr duration least_grace = std::chrono::milliseconds{10};

}  // namespace

server::state::state(server& s)
    : server_{s},
      queue_{s.runtime_.queue()},
      home_{s.runtime_.worker_at(0)},
      listener_{[this](int fd) { hand_over(fd); },
                [&s](const std::string& trouble) { s.runtime_.log(severity::error, "server: " + trouble); }},
      admission_{s.options_, s.counters_} {}
server::state::~state() = default;

// What can be wrong is looked at first: gRPC builds one server from a queue, whether it starts or not.
status server::state::start() {
  if (auto s = check_options(); !s.ok()) return s;
  const auto used = credentials();
  if (!used.ok()) return used.status();
  if (auto s = listen(); !s.ok()) return s;
  auto* const taken = queue_.take_builder();
  if (taken == nullptr) {
    return failed_precondition("this runtime has started a server before, or tried to: make a new runtime for another");
  }
  auto& builder = *taken;
  using from_fd = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  acceptor_ = builder.experimental().AddExternalConnectionAcceptor(from_fd::FROM_FD, *used);
  set_limits(builder);
  for (auto* s : server_.services_) {
    for (const auto& entry : s->methods()) {
      const int index =
          entry.open != nullptr ? bytes_.add_streaming(entry.info->path) : bytes_.add_unary(entry.info->path);
      methods_.push_back({s, &entry, index, {}});
    }
  }
  if (server_.options_.sessions) attach_index_ = bytes_.add_streaming(detail::attach_path);
  builder.RegisterService(&bytes_);
  builder.RegisterAsyncGenericService(&generic_);
  grpc_ = builder.BuildAndStart();
  if (!grpc_) return unavailable("gRPC did not start the server: its log says why");
  visit(home_, [this] { arm_all(); });
  listener_.start(server_.runtime_.thread_start());
  say_where();
  return {};
}

status server::state::check_options() const {
  const auto& options = server_.options_;
  if (options.addresses.empty()) return invalid_argument("server_options::addresses: there is none");
  if (!options.tls && !options.plain_text_on_network) {
    for (const auto& address : options.addresses) {
      if (is_local_address(address)) continue;
      return invalid_argument("'" + address +
                              "': plain text is for loopback and Unix sockets only: use TLS, or allow it");
    }
  }
  if (options.armed < 1) {
    return invalid_argument("server_options::armed: it needs a request that waits, not " +
                            std::to_string(options.armed));
  }
  if (!std::ranges::all_of(options.middleware, [](const auto& m) { return static_cast<bool>(m); })) {
    return invalid_argument("server_options::middleware: one is null");
  }
  std::vector<std::string_view> served;
  for (const auto* s : server_.services_) {
    for (const auto& entry : s->methods()) {
      const std::string_view path = entry.info->path;
      if (std::ranges::find(served, path) != served.end()) {
        return invalid_argument("two services of this server have the method " + std::string{path});
      }
      served.push_back(path);
    }
  }
  return options.policy.check_spelling(served);
}

result<std::shared_ptr<grpc::ServerCredentials>> server::state::credentials() const {
  if (!server_.options_.tls) return grpc::InsecureServerCredentials();
  return detail::credentials_of(*server_.options_.tls);
}

status server::state::listen() {
  server_.ports_.clear();
  for (const auto& address : server_.options_.addresses) {
    const auto port = listener_.bind(address);
    if (!port.ok()) return port.status();
    server_.ports_.push_back(*port);
  }
  return {};
}

void server::state::set_limits(grpc::ServerBuilder& builder) const {
  const auto& options = server_.options_;
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             to_milliseconds(options.keepalive_permitted));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (options.keepalive > duration::zero()) {
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, to_milliseconds(options.keepalive));
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, to_milliseconds(options.keepalive_timeout));
    // Otherwise a connection that is quiet for longer than two pings is not watched any more. Only servers count pings.
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  }
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, options.streams_per_connection);
  // A call beyond this leaves gRPC's decoder out of step with the client's encoder, and a later one may then end the connection:
  // so it is far above what calls are refused for.
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE,
                             std::min(options.metadata_bytes, std::numeric_limits<int>::max() / 4) * 4);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, to_milliseconds(options.handshake));
  builder.SetMaxReceiveMessageSize(options.request_bytes);
  if (options.connection_age <= duration::zero()) return;
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, to_milliseconds(options.connection_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, to_milliseconds(options.connection_age_grace));
}

void server::state::say_where() const {
  const auto& options = server_.options_;
  std::string text = "serving on";
  for (std::size_t i = 0; i < options.addresses.size(); ++i) {
    const auto& address = options.addresses[i];
    text += (i == 0 ? " " : ", ") + address;
    if (address.ends_with(":0")) text += " (" + std::to_string(server_.ports_[i]) + ")";
  }
  text += options.tls ? options.tls->client_authorities.empty() ? ", TLS" : ", mTLS" : ", plain text";
  text += options.policy.empty() ? ", open to all" : ", by policy";
  text += "; at most " + std::to_string(options.running) + " calls in progress, " +
          (options.running_per_peer != 0 ? std::to_string(options.running_per_peer) + " of a client, " : "") +
          std::to_string(options.streams_per_connection) + " on a connection, " +
          std::to_string(options.request_bytes) + " bytes a request, " +
          std::to_string(std::chrono::duration_cast<std::chrono::seconds>(options.longest).count()) +
          " s a unary call; gRPC " + grpc::Version();
  server_.runtime_.log(severity::info, text);
}

void server::state::say_cut_off(const char* method) const noexcept {
  const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(server_.options_.longest);
  server_.runtime_.log(severity::warning, std::string{"server: "} + method + " was ended after " +
                                              std::to_string(limit.count()) + " ms, the longest a call may take");
}

void server::state::hand_over(int fd) {
  grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
  connection.fd = fd;
  acceptor_->HandleNewConnection(&connection);
}

void server::state::arm_all() {
  for (auto& m : methods_) {
    const int wanted = m.entry->open != nullptr ? armed_streams : server_.options_.armed;
    for (int i = 0; i < wanted; ++i) arm(m);
  }
  for (int i = 0; i < 4; ++i) arm_unknown();
  for (int i = 0; i < armed_streams; ++i) arm_session();
}

void server::state::arm(method& m) {
  if (stopping_) return;
  if (m.entry->open != nullptr) {
    (new incoming_stream{*this, m})->arm();
  } else {
    arm_unary(m);
  }
}

void server::state::arm_unary(method& m) {
  if (m.idle.empty()) m.idle.push_back(std::make_unique<incoming_call>(*this, m));
  auto next = std::move(m.idle.back());
  m.idle.pop_back();
  if (!next->arm()) return;
  static_cast<void>(next.release());  // gRPC's until its tags have come
  ++live_;
}

void server::state::arm_unknown() {
  if (!stopping_) (new unknown_method{*this})->arm();
}

void server::state::arm_session() {
  if (!stopping_ && server_.options_.sessions) (new incoming_session{*this})->arm();
}

// A pumped runtime goes on meanwhile: handlers in progress have the grace.
template <class Done>
void server::state::pump_until(Done done) noexcept {
  for (;;) {
    const bool more = server_.runtime_.pump().more;
    if (done()) return;
    if (!more) home_.rest();
  }
}

// 1. Nothing is accepted any more, the worker is told to arm nothing more, and sessions that they begin no further call.
// 2. Server::Shutdown, on a thread that is not polling: it blocks until every call has ended, cancelling them when the grace
//    is over, while the worker goes on. Requests that are armed come back with !ok.
// 3. Their tags may still be on the queue then: `live_` counts what gRPC holds, and the worker says when it holds nothing.
void server::state::stop(duration grace, const std::stop_token& at_once) noexcept {
  listener_.stop();
  visit(home_, [this] {
    stopping_ = true;
    for (auto* s : std::vector(sessions_.begin(), sessions_.end())) s->go_away();
    if (void* tag = queue_.begin(shutdown_)) {
      ++live_;
      shutdown_.begun.start(*grpc_, queue_.queue(), tag);
    }
  });
  // Shutdown waits on, and finds that there is nothing left to wait for.
  const std::stop_callback cut_short{at_once, [this] { grpc_server_cancel_all_calls(grpc_->c_server()); }};
  const auto shut_down = [this, grace] {
    grpc_->Shutdown(to_timespec(saturating_add(std::chrono::steady_clock::now(), std::max(grace, least_grace))));
  };
  if (home_.threaded()) {
    shut_down();
  } else {
    struct news final : work {
      void run() noexcept override { shut = true; }
      bool shut = false;
    } over;
    auto blocking = start_thread(server_.runtime_.thread_start(), "weft-stop", [&] {
      shut_down();
      home_.submit(over);
    });
    pump_until([&over] { return over.shut; });
    blocking.join();
  }
  visit(home_, [this] {
    draining_ = true;
    tell_if_ended();
  });
  if (home_.threaded()) {
    ended_.acquire();
  } else {
    pump_until([this] { return ended_.try_acquire(); });
  }
}

void server::state::tell_if_ended() noexcept {
  if (draining_ && live_ == 0) ended_.release();
}

server::server(rpc_runtime& rt, server_options options) : runtime_{rt}, options_{std::move(options)} {
  if (rt.server_ != nullptr) misuse("a runtime has one server: add further services and addresses to that one");
  rt.server_ = this;
}

int server::port(std::size_t n) const noexcept {
  if (n >= ports_.size()) misuse("server::port or address: it has not started, or has fewer addresses");
  return ports_[n];
}

server::~server() {
  stop();
  runtime_.server_ = nullptr;
}

void server::add(rpc_service& s) {
  if (state_) misuse("server::add after start: add every service before");
  if (std::ranges::find(services_, &s) != services_.end()) {
    misuse(std::string{"server::add: service '"} + s.name() + "' was added before");
  }
  services_.push_back(&s);
}

status server::start() {
  if (state_) return failed_precondition("the server was started before");
  if (worker::current() != nullptr) misuse("server::start on a worker: call it from main");
  if (!visit(runtime_.worker_at(0), [] {})) return failed_precondition("the runtime has ended");
  state_ = std::make_unique<state>(*this);
  auto outcome = state_->start();
  if (!outcome.ok()) state_.reset();
  for (auto* s : services_) s->offered_ = outcome.ok();
  return outcome;
}

void server::stop(duration grace, const std::stop_token& at_once) noexcept {
  if (!state_) return;
  if (worker::current() != nullptr) misuse("server::stop on a worker, which it would block: call it from main");
  state_->stop(at_once.stop_requested() ? duration::zero() : grace, at_once);
  state_.reset();
  for (auto* s : services_) s->offered_ = false;
}

}  // namespace weft
