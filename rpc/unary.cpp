#include <weft/rpc/unary.hpp>

#include <memory>
#include <optional>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/channel.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {
namespace {

// One tag, one completion. Between workers it travels as `work` outside of any strand: to the polling worker to be started,
// and back when the tag has come.
class unary_exchange final : public exchange, operation, outgoing_call, work, public pooled {
 public:
  unary_exchange(std::shared_ptr<channel> c, const method_info& method, const google::protobuf::MessageLite& request)
      : channel_{std::move(c)}, method_{method}, refusal_{serialize(request, request_)} {}

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
    if (!refusal_.ok()) return refusal_;
    if (!status_.ok()) return from_grpc(status_, method_.path);
    return parse(reply_, reply);
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

}  // namespace

exchange* exchange::make(peer& to, const method_info& method, const google::protobuf::MessageLite& request) {
  return new unary_exchange{to.shared_channel(), method, request};
}

}  // namespace weft::detail
