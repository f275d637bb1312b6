#pragma once
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/served_passage.hpp>
#include <weft/rpc/server_origin.hpp>
#include <weft/rpc/server_state.hpp>
#include <weft/runtime/config.hpp>

namespace weft {

/// One unary call from the network: waits armed at gRPC, becomes a call of the service, and ends when both of gRPC's tags have
/// come, that of Finish and that of "done", and the service has let go of it. It is then used for the next call.
///
///   armed    the request's tag is out
///   passing  the done tag is out; the call is in the server's middleware, if it has any
///   serving  the done tag is out; the service has the call
///   replying the done tag may be out, Finish's is; the service has the call still, when the client went before its handler
class server::state::incoming_call final : call_listener, detail::server_origin, detail::served_call {
 public:
  incoming_call(state& s, method& m) : state_{s}, method_{m} {}

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
  template <void (incoming_call::*Then)(bool)>
  struct step final : operation {
    explicit step(incoming_call& i) : self{i} {}
    void on_event(bool ok) noexcept override { (self.*Then)(ok); }
    incoming_call& self;
  };

  void requested(bool ok) {
    if (!ok) return end();  // the server is shutting down
    static_cast<void>(state_.queue_.begin(done_));
    ++state_.server_.counters_.calls;
    parts_left_ = 2;
    state_.arm(method_);

    admitted_ = true;
    if (auto s = state_.admission_.enter(*this, method_.entry->info->path); !s.ok()) {
      request_.Clear();
      return refuse(s);
    }
    if (!state_.server_.options_.middleware.empty()) return pass();
    if (auto s = accept(); !s.ok()) return refuse(s);
    call_->begin(state_.home_, deadline());
    watch();
  }

  // INVALID_ARGUMENT when the request is no such message.
  status accept() noexcept {
    auto s = detail::accept(*method_.entry, *method_.service, *this, request_, call_);
    request_.Clear();
    if (!s.ok()) {
      ++state_.server_.counters_.malformed;
      return s;
    }
    ++parts_left_;
    return {};
  }
  time_point deadline() noexcept {
    // The worker may have slept until now: the round has not begun, and its time is that of the last one.
    const auto latest = saturating_add(state_.home_.read_clock(), state_.server_.options_.longest);
    const auto wanted = from_timespec(context_->raw_deadline());
    cut_at_ = latest < wanted ? latest : never;
    return std::min(wanted, latest);
  }
  void watch() noexcept {
    if (call_->settled()) {
      completed();
    } else {
      call_->tell(*this);
    }
  }

  void completed() noexcept override {
    grpc::ByteBuffer bytes;
    const auto outcome = detail::take(*method_.entry, *call_, bytes);
    if (const auto* extras = call_->arrived_extras()) {
      say_first(*context_, extras->headers, extras->compress_reply);
      say_last(*context_, extras->trailers);
    }
    const bool ran = call_->may_have_run();
    call_.reset();
    if (outcome.code() == code::deadline_exceeded && cut_at_ <= state_.home_.read_clock()) {
      state_.say_cut_off(method_.entry->info->path);
    }
    if (surrounded_) {
      surrounded_->reply.Swap(&bytes);
      surrounded_->ran = ran;
      return surrounded_->passage.rest_ended(outcome);
    }
    if (!ran) return refuse(outcome);
    if (!outcome.ok()) return reply(outcome);
    reply(bytes);
  }

  // Where the server has middleware.
  struct surrounded {
    surrounded(incoming_call& c, const server& s) noexcept : passage{s.runtime_.control(), c, s.options_.middleware} {}
    detail::served_passage passage;
    grpc::ByteBuffer reply;
    bool ran = false;
  };
  void pass() noexcept {
    surrounded_ = std::make_unique<surrounded>(*this, state_.server_);
    surrounded_->passage.enter(deadline());
  }
  const method_info& info() const noexcept override { return *method_.entry->info; }
  call_origin& origin() noexcept override { return *this; }
  void identify(std::string who) noexcept override { is_from(std::move(who)); }
  void begin_rest(const weft::context& caller) noexcept override {
    if (auto s = accept(); !s.ok()) return surrounded_->passage.rest_ended(std::move(s));
    call_->begin(caller, duration::max());
    watch();
  }
  void give_up_rest(const status& why) noexcept override {
    if (call_) call_->give_up(why);  // ends in `completed`
  }
  void passed(const status& outcome) noexcept override {
    request_.Clear();  // of a call that was refused
    if (const auto headers = surrounded_->passage.take_headers(); headers.ok()) {
      say_first(*context_, *headers, compression::none);
    }
    say_last(*context_, surrounded_->passage.trailers());
    if (outcome.ok()) return reply(surrounded_->reply);
    surrounded_->ran ? reply(outcome) : refuse(outcome);
  }

  void refuse(const status& why) {
    say_not_run(*context_);
    reply(why);
  }
  void reply(const grpc::ByteBuffer& bytes) {
    responder_->Finish(bytes, grpc::Status::OK, state_.queue_.begin(finished_));
  }
  void reply(const status& error) { responder_->FinishWithError(to_grpc(error), state_.queue_.begin(finished_)); }

  void done(bool) {
    if (context_->IsCancelled()) client_gone();
    part_ended();
  }
  void client_gone() {
    if (surrounded_ ? surrounded_->passage.over() : !call_) return;
    ++state_.server_.counters_.cancelled;
    auto why = weft::cancelled("the client has gone");
    surrounded_ ? surrounded_->passage.stop(std::move(why)) : call_->give_up(std::move(why));  // ends in `completed`
  }
  void finished(bool) { part_ended(); }
  void call_gone() noexcept override { part_ended(); }
  const grpc::ServerContext& context() const noexcept override { return *context_; }
  bool request_came_compressed() noexcept override { return detail::came_compressed(*context_); }

  void part_ended() noexcept {
    if (--parts_left_ == 0) end();
  }
  void end() noexcept {
    if (std::exchange(admitted_, false)) state_.admission_.leave(*this);
    forget();
    surrounded_.reset();
    responder_.reset();
    context_.reset();
    method_.idle.emplace_back(this);
    state_.ended();
  }

  state& state_;
  method& method_;
  int parts_left_ = 0;
  bool admitted_ = false;      // it was counted
  time_point cut_at_ = never;  // by the server's limit; never: its client's deadline is before that
  call_holder call_;
  std::unique_ptr<surrounded> surrounded_;
  grpc::ByteBuffer request_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> responder_;
  step<&incoming_call::requested> requested_{*this};
  step<&incoming_call::done> done_{*this};
  step<&incoming_call::finished> finished_{*this};
};

}  // namespace weft
