#include <weft/rpc/unary.hpp>

#include <sys/random.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/channel.hpp>
#include <weft/rpc/guided_exchange.hpp>
#include <weft/rpc/server_origin.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/timer_wheel.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {
namespace {

// One tag, one completion. Between workers it travels as `work` outside of any strand: to the polling worker to be started,
// and back when the tag has come.
class unary_exchange final : public exchange, operation, outgoing_call, work, public pooled {
 public:
  unary_exchange(std::shared_ptr<channel> c, const method_info& method, const google::protobuf::MessageLite& request)
      : channel_{std::move(c)}, method_{method}, refusal_{serialize(request, request_)} {}
  unary_exchange(std::shared_ptr<channel> c, const method_info& method, const grpc::ByteBuffer& request)
      : channel_{std::move(c)}, method_{method}, request_{request} {}

  status start(owner& o, worker& home, time_point deadline, const call_extras* extras) noexcept override {
    if (!refusal_.ok()) return refusal_;
    if (!channel_->problem().ok()) return channel_->problem();
    owner_ = &o;
    home_ = &home;
    context_.emplace();
    set_up(*context_, deadline, channel_->metadata(), extras);
    auto& polling = channel_->home();
    if (&home == &polling) return begin() ? status{} : refusal_;
    return polling.submit(*this) ? status{} : unavailable("the runtime has ended");
  }

  void cancel() noexcept override { context_->TryCancel(); }

  status take(google::protobuf::MessageLite& reply) override {
    if (auto s = outcome(); !s.ok()) return s;
    return parse(reply_, reply);
  }
  status outcome() const override {
    if (!refusal_.ok()) return refusal_;
    return from_grpc(status_, method_.path);
  }
  /// After it arrived with an error: no connection has seen it.
  bool never_left() const { return !refusal_.ok() || channel_->never_left(*context_, status_); }
  /// After it arrived with an error: the method surely did not run.
  bool surely_not_run() const override {
    return never_left() || context_->GetServerTrailingMetadata().contains(not_run_key);
  }

  void take_metadata(call_extras& into) override {
    if (!refusal_.ok()) return;
    into.headers = from_grpc(context_->GetServerInitialMetadata());
    into.trailers = from_grpc(context_->GetServerTrailingMetadata());
    into.reply_came_compressed = came_compressed(*context_);
  }

 private:
  enum class stage : char { out, home };

  bool begin() noexcept {
    auto& queue = channel_->owner().queue();
    void* tag = queue.begin(*this);
    if (tag == nullptr) {
      refusal_ = unavailable("the runtime has ended");
      return false;
    }
    queue.went_out(*this);
    auto& way = channel_->next();
    reader_ = prepare_unary(way.grpc(), way.registered(method_), *context_, request_, queue.queue());
    reader_->StartCall();
    reader_->Finish(&reply_, &status_, tag);
    return true;
  }

  // On the polling worker, to be started; on the caller's, when it is back.
  void run() noexcept override {
    if (stage_ == stage::home) {
      owner_->arrived();
    } else if (!begin()) {
      go_home();
    }
  }

  void on_event(bool) noexcept override {
    // A unary Finish always comes with ok; what happened is in the status.
    channel_->owner().queue().came_back(*this);
    if (home_ == &channel_->home()) {
      owner_->arrived();
    } else {
      go_home();
    }
  }

  void go_home() noexcept {
    stage_ = stage::home;
    home_->submit(*this);
  }

  void end() noexcept override { delete this; }
  void cancel_for_shutdown() noexcept override { context_->TryCancel(); }

  const std::shared_ptr<channel> channel_;  // the peer may be gone before gRPC has let go of the call
  const method_info& method_;
  owner* owner_ = nullptr;
  worker* home_ = nullptr;
  stage stage_ = stage::out;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
  grpc::Status status_;
  status refusal_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader_;
};

// From 0 to 1; no two clients agree on it.
double random_part() noexcept {
  std::uint32_t bits = 0;
  static_cast<void>(!getrandom(&bits, sizeof bits, GRND_NONBLOCK));
  return static_cast<double>(bits) / static_cast<double>(std::numeric_limits<std::uint32_t>::max());
}

// A call that is made again as its policy says, on the caller's worker: attempts follow each other, each an exchange of its
// own, with a timer between them.
class retried_exchange final : public exchange, exchange::owner, timer, work, public pooled {
 public:
  retried_exchange(std::shared_ptr<channel> c, const method_info& method, const retry_policy& policy,
                   const google::protobuf::MessageLite& request)
      : channel_{std::move(c)}, method_{method}, policy_{policy}, refusal_{serialize(request, request_)} {}

  status start(exchange::owner& o, worker& home, time_point deadline, const call_extras* extras) noexcept override {
    if (!refusal_.ok()) return refusal_;
    owner_ = &o;
    home_ = &home;
    deadline_ = deadline;
    extras_ = extras;
    return attempt();
  }
  void cancel() noexcept override {
    if (std::exchange(cancelled_, true)) return;  // middleware may say it twice; it arrives once
    if (waits_) {
      timer::cancel();
      home_->submit(*this);  // it arrives, but not beneath this
    } else {
      attempt_->cancel();
    }
  }
  status outcome() const override { return refusal_.ok() ? attempt_->outcome() : refusal_; }
  bool surely_not_run() const override { return !may_have_run_; }
  status take(google::protobuf::MessageLite& reply) override {
    return refusal_.ok() ? attempt_->take(reply) : refusal_;
  }
  void take_metadata(call_extras& into) override {
    if (refusal_.ok()) attempt_->take_metadata(into);
  }

 private:
  status attempt() noexcept {
    ++attempts_;
    attempt_.reset(std::make_unique<unary_exchange>(channel_, method_, request_).release());
    return attempt_->start(*this, *home_, deadline_, extras_);
  }

  void arrived() noexcept override {
    const auto outcome = attempt_->outcome();
    if (outcome.ok() || !attempt_->surely_not_run()) may_have_run_ = true;
    if (outcome.ok()) channel_->throttle().succeeded();
    if (outcome.ok() || !may_retry(outcome)) return owner_->arrived();
    const auto wait = policy_.backoff_before(attempts_ + 1, random_part());
    const auto next = saturating_add(home_->read_clock(), wait);
    if (next >= deadline_) return owner_->arrived();  // what came is a better answer than that time is over
    waits_ = true;
    home_->timers().arm(*this, next);
  }
  bool may_retry(const status& outcome) const {
    if (std::ranges::find(policy_.codes, outcome.code()) == policy_.codes.end()) return false;
    const bool burdens = !attempt_->never_left();
    const bool may_burden = !burdens || channel_->throttle().failed();
    if (cancelled_ || attempts_ >= policy_.attempts || !may_burden) return false;
    return method_.idempotent || attempt_->surely_not_run();
  }

  void expired() noexcept override {
    waits_ = false;
    refusal_ = attempt();
    if (!refusal_.ok()) owner_->arrived();
  }
  // Only one-way calls: with anybody who waits for it, the call has been cancelled.
  void dropped() noexcept override {
    waits_ = false;
    owner_->arrived();
  }
  // Cancelled while it waited.
  void run() noexcept override { owner_->arrived(); }
  void end() noexcept override { delete this; }

  const std::shared_ptr<channel> channel_;
  const method_info& method_;
  const retry_policy& policy_;  // the channel's
  grpc::ByteBuffer request_;
  status refusal_;
  exchange::owner* owner_ = nullptr;
  worker* home_ = nullptr;
  time_point deadline_ = never;
  const call_extras* extras_ = nullptr;
  int attempts_ = 0;
  bool waits_ = false;
  bool cancelled_ = false;
  bool may_have_run_ = false;  // in one of the attempts
  std::unique_ptr<unary_exchange, exchange::destroy> attempt_;
};

exchange* make_plain(const std::shared_ptr<channel>& to, const method_info& method,
                     const google::protobuf::MessageLite& request) {
  if (const auto* policy = to->retry_of(method)) return new retried_exchange{to, method, *policy, request};
  return new unary_exchange{to, method, request};
}

}  // namespace

exchange* exchange::make(peer& to, const method_info& method, const google::protobuf::MessageLite& request) {
  auto* plain = make_plain(to.shared_channel(), method, request);
  if (!to.shared_channel()->guided()) return plain;
  return new guided_exchange{to.shared_channel(), method, plain};
}

exchange* exchange::make(std::shared_ptr<channel> to, const method_info& method, const grpc::ByteBuffer& request) {
  return new unary_exchange{std::move(to), method, request};
}

}  // namespace weft::detail
