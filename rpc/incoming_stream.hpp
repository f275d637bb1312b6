#pragma once
#include <optional>
#include <tuple>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/step.hpp>
#include <weft/rpc/server_state.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>

namespace weft {

/// One call of a streaming method from the network. Waits armed at gRPC; becomes a call of the service, and a task that
/// carries messages between gRPC and the call's pipes; ends when that task has ended and the done tag has come.
class server::state::incoming_stream final : operation {
 public:
  incoming_stream(state& s, method& m) : state_{s}, method_{m}, stream_{&context_} {}

  void arm() {
    void* tag = state_.queue_.begin(*this);
    if (tag == nullptr) {
      delete this;
      return;
    }
    ++state_.live_;
    // Counted when the call begins: the done tag of a call that never begins does not come (grpc#10136).
    WEFT_TSAN_RELEASE(&done_);
    context_.AsyncNotifyWhenDone(static_cast<operation*>(&done_));
    state_.bytes_.request(method_.index, context_, stream_, state_.queue_.queue(), tag);
  }

 private:
  struct done final : operation {
    explicit done(incoming_stream& i) noexcept : self{i} {}
    void on_event(bool) noexcept override { self.client_done(); }
    incoming_stream& self;
  };

  // The request's tag.
  void on_event(bool ok) noexcept override {
    if (!ok) return end();  // the server is shutting down
    static_cast<void>(state_.queue_.begin(done_));
    ++state_.server_.counters_.calls;
    state_.arm(method_);
    served_ = method_.entry->open(*method_.service);
    served_.call->tell(*served_.end);
    served_.call->begin(state_.home_, from_timespec(context_.raw_deadline()));
    // On a worker of its own runtime this never fails.
    std::ignore = spawn(state_.server_.runtime_.control(), method_.entry->info->path, &incoming_stream::run, this);
  }

  void client_done() noexcept {
    if (context_.IsCancelled() && served_.call && !served_.call->settled()) {
      ++state_.server_.counters_.cancelled;
      served_.call->give_up(weft::cancelled("the client has gone"));
    }
    part_ended();
  }
  void part_ended() noexcept {
    if (--parts_left_ == 0) end();
  }
  void end() noexcept {
    auto& s = state_;
    delete this;
    s.ended();
  }

  task<> run() {
    co_await with_scope(&incoming_stream::both_ways, this);
    served_.call.reset();
    part_ended();
  }
  static task<> both_ways(incoming_stream* i, scope& s) {
    std::ignore = s.start(i->receive(), "stream requests");
    co_await i->send();
  }

  // What the client sends, until its end, or until nobody reads it.
  task<> receive() {
    for (;;) {
      grpc::ByteBuffer bytes;
      const auto read = [&](void* tag) { stream_.Read(&bytes, tag); };
      detail::step received{state_.queue_, context_, "gRPC read", read};
      if (!co_await received) break;
      if (!(co_await served_.requests->write(bytes)).ok()) co_return;
    }
    if (co_await client_is_there()) served_.requests->end();
  }

  // gRPC's read says the same when the client has sent its last and when it is gone, and a handler must not take the second
  // for the first. When the stream was reset nothing can be sent on it either: the initial metadata tell, which were not sent
  // before the first reply. After that only the done tag does, which may come a little later.
  task<bool> client_is_there() {
    if (served_.call->settled()) co_return false;
    if (std::exchange(headers_sent_, true)) {
      std::ignore = co_await sleep_for(done_comes_within);
    } else {
      const auto send = [this](void* tag) { stream_.SendInitialMetadata(tag); };
      detail::step sent{state_.queue_, context_, "gRPC initial metadata", send};
      if (!co_await sent) co_return false;
    }
    co_return !served_.call->settled();
  }

  // What the handler writes, and in the end its status.
  task<> send() {
    while (auto bytes = co_await served_.replies->read()) {
      headers_sent_ = true;
      const auto write = [&](void* tag) { stream_.Write(*bytes, tag); };
      detail::step written{state_.queue_, context_, "gRPC write", write};
      if (co_await written) continue;
      served_.call->give_up(weft::cancelled("the client has gone"));
      break;
    }
    if (!(co_await served_.end->settled().wait()).ok()) {
      served_.call->give_up(weft::unavailable("the server's runtime is ending"));
    }
    const auto outcome = to_grpc(status_of(served_.call->take()));
    headers_sent_ = true;
    const auto finish = [&](void* tag) { stream_.Finish(outcome, tag); };
    detail::step finished{state_.queue_, context_, "gRPC finish", finish};
    std::ignore = co_await finished;
  }

  static constexpr auto done_comes_within = std::chrono::milliseconds{2};

  state& state_;
  method& method_;
  grpc::ServerContext context_;
  detail::server_byte_stream stream_;
  done done_{*this};
  served_stream served_{};
  bool headers_sent_ = false;
  int parts_left_ = 2;  // the task, and the done tag
};

}  // namespace weft
