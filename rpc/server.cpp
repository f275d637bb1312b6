#include <weft/rpc/server.hpp>

#include <algorithm>
#include <atomic>
#include <optional>
#include <semaphore>
#include <thread>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/grpc.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/visit.hpp>

namespace weft {

// What gRPC holds while the server runs. On the polling worker, except for start and shutdown.
class server::state {
 public:
  explicit state(server& s) : server_{s}, queue_{s.runtime_.queue()}, home_{s.runtime_.worker_at(0)} {}

  status start();
  void stop(duration grace) noexcept;

 private:
  class incoming;
  class unknown_method;
  struct method {
    rpc_service* service;
    const served_method* entry;
    int index;
    std::vector<std::unique_ptr<incoming>> idle;
  };

  void arm_all();
  void arm(method& m);
  void arm_unknown();
  void tell_if_ended() noexcept;
  // Something that gRPC held is back for good.
  void ended() noexcept {
    --live_;
    tell_if_ended();
  }

  server& server_;
  completion_queue& queue_;
  worker& home_;
  detail::byte_service bytes_;
  grpc::AsyncGenericService generic_;
  std::vector<method> methods_;
  std::unique_ptr<grpc::Server> grpc_;
  std::size_t live_ = 0;  // calls and armed requests at gRPC
  bool stopping_ = false;
  bool draining_ = false;
  std::binary_semaphore ended_{0};
};

// One call from the network: waits armed at gRPC, becomes a call of the service, and ends when both of gRPC's tags have
// come, that of Finish and that of "done". It is then used for the next call.
//
//   armed    the request's tag is out
//   serving  the done tag is out; the service has the call
//   replying the done tag may be out, Finish's is
class server::state::incoming final : call_listener {
 public:
  incoming(state& s, method& m) : state_{s}, method_{m} {}

  // False when the queue is shut.
  bool arm() {
    context_.emplace();
    responder_.emplace(&*context_);
    request_.Clear();
    void* tag = state_.queue_.begin(requested_);
    if (tag == nullptr) return false;
    // Counted when the call begins: the done tag of a call that never begins does not come (grpc#10136).
    WEFT_TSAN_RELEASE(&done_);
    context_->AsyncNotifyWhenDone(static_cast<operation*>(&done_));
    state_.bytes_.request(method_.index, *context_, request_, *responder_, state_.queue_.queue(), tag);
    return true;
  }

 private:
  template <void (incoming::*Then)(bool)>
  struct step final : operation {
    explicit step(incoming& i) : self{i} {}
    void on_event(bool ok) noexcept override { (self.*Then)(ok); }
    incoming& self;
  };

  void requested(bool ok) {
    if (!ok) return end();  // the server is shutting down
    static_cast<void>(state_.queue_.begin(done_));
    ++state_.server_.counters_.calls;
    tags_left_ = 2;
    state_.arm(method_);

    auto accepted = method_.entry->accept(*method_.service, request_);
    request_.Clear();
    if (!accepted.ok()) {
      ++state_.server_.counters_.malformed;
      return reply(accepted.status());
    }
    call_ = std::move(*accepted);
    // The worker may have slept until now: the round has not begun, and its time is that of the last one.
    const auto latest = saturating_add(state_.home_.read_clock(), state_.server_.options_.longest);
    call_->begin(state_.home_, std::min(from_timespec(context_->raw_deadline()), latest));
    if (call_->settled()) {
      completed();
    } else {
      call_->tell(*this);
    }
  }

  void completed() noexcept override {
    grpc::ByteBuffer bytes;
    const auto outcome = method_.entry->take(*call_, bytes);
    call_.reset();
    if (!outcome.ok()) return reply(outcome);
    responder_->Finish(bytes, grpc::Status::OK, state_.queue_.begin(finished_));
  }

  void reply(const status& error) { responder_->FinishWithError(to_grpc(error), state_.queue_.begin(finished_)); }

  void done(bool) {
    if (context_->IsCancelled() && call_) {
      ++state_.server_.counters_.cancelled;
      call_->give_up(weft::cancelled("the client has gone"));  // ends in `completed`
    }
    tag_came();
  }
  void finished(bool) { tag_came(); }

  void tag_came() {
    if (--tags_left_ != 0) return;
    end();
  }
  void end() {
    responder_.reset();
    context_.reset();
    method_.idle.emplace_back(this);
    state_.ended();
  }

  state& state_;
  method& method_;
  int tags_left_ = 0;
  call_holder call_;
  grpc::ByteBuffer request_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> responder_;
  step<&incoming::requested> requested_{*this};
  step<&incoming::done> done_{*this};
  step<&incoming::finished> finished_{*this};
};

// Answers calls of methods that are not here. gRPC's own answer to them can crash the process (grpc#32356).
class server::state::unknown_method final : operation {
 public:
  explicit unknown_method(state& s) : state_{s}, stream_{&context_} {}

  void arm() {
    void* tag = state_.queue_.begin(*this);
    if (tag == nullptr) {
      delete this;
      return;
    }
    ++state_.live_;
    auto& queue = state_.queue_.queue();
    state_.generic_.RequestCall(&context_, &stream_, &queue, &queue, tag);
  }

 private:
  void on_event(bool ok) noexcept override {
    if (replying_ || !ok) {
      auto& s = state_;
      delete this;
      return s.ended();
    }
    replying_ = true;
    state_.arm_unknown();
    ++state_.server_.counters_.unimplemented;
    stream_.Finish({grpc::StatusCode::UNIMPLEMENTED, "no method " + context_.method()}, state_.queue_.begin(*this));
  }

  state& state_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  bool replying_ = false;
};

status server::state::start() {
  auto& options = server_.options_;
  for (const auto& address : options.addresses) {
    if (is_local_address(address)) continue;
    return invalid_argument("'" + address + "': plain text is for loopback and Unix sockets only");
  }
  auto* const taken = queue_.take_builder();
  if (taken == nullptr) {
    return failed_precondition("this runtime has started a server before, or tried to: make a new runtime for another");
  }
  auto& builder = *taken;
  server_.ports_.assign(options.addresses.size(), 0);
  for (std::size_t i = 0; i < options.addresses.size(); ++i) {
    builder.AddListeningPort(options.addresses[i], grpc::InsecureServerCredentials(), &server_.ports_[i]);
  }
  // Without this a second server takes half of the connections of the first, silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             static_cast<int>(options.keepalive_permitted / std::chrono::milliseconds{1}));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  for (auto* s : server_.services_) {
    for (const auto& entry : s->methods()) methods_.push_back({s, &entry, bytes_.add(entry.info->path), {}});
  }
  builder.RegisterService(&bytes_);
  builder.RegisterAsyncGenericService(&generic_);
  grpc_ = builder.BuildAndStart();
  for (std::size_t i = 0; i < options.addresses.size(); ++i) {
    if (grpc_ && server_.ports_[i] != 0) continue;
    if (grpc_) grpc_->Shutdown();
    grpc_.reset();
    return unavailable("cannot listen on '" + options.addresses[i] + "'");
  }
  visit(home_, [this] { arm_all(); });
  return {};
}

void server::state::arm_all() {
  for (auto& m : methods_) {
    for (int i = 0; i < server_.options_.armed; ++i) arm(m);
  }
  for (int i = 0; i < 4; ++i) arm_unknown();
}

void server::state::arm(method& m) {
  if (stopping_) return;
  if (m.idle.empty()) m.idle.push_back(std::make_unique<incoming>(*this, m));
  auto next = std::move(m.idle.back());
  m.idle.pop_back();
  if (!next->arm()) return;
  static_cast<void>(next.release());  // gRPC's until its tags have come
  ++live_;
}

void server::state::arm_unknown() {
  if (!stopping_) (new unknown_method{*this})->arm();
}

// 1. The worker is told to arm nothing more.
// 2. Server::Shutdown, on a thread that is not polling: it blocks until every call has ended, cancelling them when the grace
//    is over, while the worker goes on. Requests that are armed come back with !ok.
// 3. Their tags may still be on the queue then: `live_` counts what gRPC holds, and the worker says when it holds nothing.
void server::state::stop(duration grace) noexcept {
  visit(home_, [this] { stopping_ = true; });
  const auto shut_down = [this, grace] {
    grpc_->Shutdown(to_timespec(saturating_add(std::chrono::steady_clock::now(), grace)));
  };
  if (home_.threaded()) {
    shut_down();
  } else {
    std::atomic<bool> shut{false};
    std::thread blocking{[&] {
      shut_down();
      shut = true;
    }};
    while (!shut) home_.round(time_point::min());
    blocking.join();
  }
  visit(home_, [this] {
    draining_ = true;
    tell_if_ended();
  });
  if (home_.threaded()) {
    ended_.acquire();
  } else {
    while (!ended_.try_acquire()) home_.round(time_point::min());
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

void server::stop(duration grace) noexcept {
  if (!state_) return;
  if (worker::current() != nullptr) misuse("server::stop on a worker, which it would block: call it from main");
  state_->stop(grace);
  state_.reset();
  for (auto* s : services_) s->offered_ = false;
}

}  // namespace weft
