#pragma once
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/step.hpp>
#include <weft/rpc/served_passage.hpp>
#include <weft/rpc/server_origin.hpp>
#include <weft/rpc/server_state.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>

namespace weft {

/// One call of a streaming method from the network. Waits armed at gRPC; becomes a call of the service, and a task that
/// carries messages between gRPC and the call's pipes; ends when that task has ended, the done tag has come, and the service
/// has let go of the call. In the server's middleware, if it has any, that is the rest, and Finish follows it.
class server::state::incoming_stream final : operation,
                                             detail::server_origin,
                                             detail::served_call,
                                             detail::stream_end::observer {
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

  struct part final : operation {
    explicit part(incoming_stream& i) noexcept : self{i} {}
    void on_event(bool) noexcept override { self.part_ended(); }
    incoming_stream& self;
  };

  // The request's tag.
  void on_event(bool ok) noexcept override {
    if (!ok) return end();  // the server is shutting down
    static_cast<void>(state_.queue_.begin(done_));
    ++state_.server_.counters_.calls;
    state_.arm(method_);
    admitted_ = true;
    if (auto s = state_.admission_.enter(*this, method_.entry->info->path); !s.ok()) return refuse(s);
    if (!state_.server_.options_.middleware.empty()) return pass();
    parts_left_ = 3;  // the task, the done tag, and the service's call
    open();
    served_.call->begin(state_.home_, from_timespec(context_.raw_deadline()));
    carry();
  }

  void open() noexcept {
    served_ = method_.entry->open(*method_.service, *method_.entry, *this);
    served_.call->tell(*served_.end);
    served_.end->tell_headers(*this);
  }
  void carry() noexcept {
    // On a worker of its own runtime this never fails.
    std::ignore = spawn(state_.server_.runtime_.control(), method_.entry->info->path, &incoming_stream::run, this);
  }

  void pass() noexcept {
    parts_left_ = 2;  // the done tag, and that of Finish
    detail::served_call& self = *this;
    passage_ = std::make_unique<detail::served_passage>(state_.server_.runtime_.control(), self,
                                                        state_.server_.options_.middleware);
    passage_->enter(from_timespec(context_.raw_deadline()));
  }
  const method_info& info() const noexcept override { return *method_.entry->info; }
  call_origin& origin() noexcept override { return *this; }
  void identify(std::string who) noexcept override { is_from(std::move(who)); }
  void begin_rest(const weft::context& caller) noexcept override {
    const auto headers = passage_->take_headers();
    if (!headers.ok()) return passage_->rest_ended(headers.status());
    say_first(context_, *headers, compression::none);
    parts_left_ += 2;  // the task, and the service's call
    open();
    served_.call->begin(caller, duration::max());
    carry();
  }
  void give_up_rest(const status& why) noexcept override {
    if (served_.call) served_.call->give_up(why);
  }
  void passed(const status& outcome) noexcept override {
    if (!std::exchange(headers_sent_, true)) {  // the handler may still be running, and have some
      if (const auto headers = passage_->take_headers(); headers.ok()) say_first(context_, *headers, compression::none);
    }
    if (!ran_) say_not_run(context_);
    say_last(context_, passage_->trailers());
    stream_.Finish(to_grpc(outcome), state_.queue_.begin(own_part_));
    state_.queue_.may_have_kicked();
  }

  void refuse(const status& why) noexcept {
    parts_left_ = 2;  // the done tag, and that of Finish
    stream_.Finish(to_grpc(why), state_.queue_.begin(own_part_));
  }
  void client_done() noexcept {
    if (context_.IsCancelled() && in_progress()) {
      ++state_.server_.counters_.cancelled;
      auto why = weft::cancelled("the client has gone");
      passage_ ? passage_->stop(std::move(why)) : served_.call->give_up(std::move(why));
    }
    part_ended();
  }
  bool in_progress() const noexcept { return passage_ ? !passage_->over() : served_.call && !served_.call->settled(); }
  void call_gone() noexcept override { part_ended(); }
  const grpc::ServerContext& context() const noexcept override { return context_; }
  bool request_came_compressed() noexcept override { return false; }  // its reader knows

  void headers_came(const metadata& headers, compression replies) noexcept override {
    if (std::exchange(headers_sent_, true)) return;
    say_first(context_, headers, replies);
    void* tag = state_.queue_.begin(own_part_);
    if (tag == nullptr) return;
    ++parts_left_;
    stream_.SendInitialMetadata(tag);
    state_.queue_.may_have_kicked();
  }

  void part_ended() noexcept {
    if (--parts_left_ == 0) end();
  }
  void end() noexcept {
    auto& s = state_;
    if (admitted_) s.admission_.leave(*this);
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
    detail::server_read next;
    detail::stream_bytes request;
    const auto read = [&](void* tag) { next.start(context_, request.bytes, state_.queue_.queue(), tag); };
    for (;;) {
      if (!(co_await served_.requests->reserve()).ok()) co_return;
      detail::step received{state_.queue_, context_, "gRPC read", read};
      const bool ok = co_await received;
      const auto came = next.came(ok, context_);
      if (came == detail::server_read::outcome::failed) co_return;  // the done tag tells the handler to stop
      if (came == detail::server_read::outcome::end) break;
      request.compressed = detail::came_compressed(context_);
      std::ignore = served_.requests->fill(std::exchange(request, {}));
    }
    served_.requests->end();
  }

  // What the handler writes, and in the end its status.
  task<> send() {
    while (auto reply = co_await served_.replies->read()) {
      headers_sent_ = true;
      const auto write = [&](void* tag) { stream_.Write(reply->bytes, detail::options_of(*reply), tag); };
      detail::step written{state_.queue_, context_, "gRPC write", write};
      if (co_await written) continue;
      served_.call->give_up(weft::cancelled("the client has gone"));
      break;
    }
    if (!(co_await served_.end->settled().wait()).ok()) {
      served_.call->give_up(weft::unavailable("the server's runtime is ending"));
    }
    auto ended = status_of(served_.call->take());
    if (const auto* extras = served_.call->arrived_extras()) say_last(context_, extras->trailers);
    ran_ = served_.call->may_have_run();
    if (passage_) {
      passage_->rest_ended(std::move(ended));  // `passed` follows; a read that is out ends by its Finish
      co_return;
    }
    headers_sent_ = true;
    const auto outcome = to_grpc(ended);
    const auto finish = [&](void* tag) { stream_.Finish(outcome, tag); };
    detail::step finished{state_.queue_, context_, "gRPC finish", finish};
    std::ignore = co_await finished;
  }

  state& state_;
  method& method_;
  grpc::ServerContext context_;
  detail::server_byte_stream stream_;
  done done_{*this};
  served_stream served_{};
  std::unique_ptr<detail::served_passage> passage_;  // where the server has middleware
  part own_part_{*this};  // an operation that no task awaits: headers, a refusal, Finish after middleware
  bool headers_sent_ = false;
  bool ran_ = false;
  bool admitted_ = false;  // it was counted
  int parts_left_ = 0;
};

}  // namespace weft
