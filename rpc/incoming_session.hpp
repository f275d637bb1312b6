#pragma once
#include <cassert>
#include <memory>
#include <string>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/server_origin.hpp>
#include <weft/rpc/server_state.hpp>
#include <weft/rpc/session/caller_outlet.hpp>
#include <weft/rpc/session/session_wire.hpp>
#include <weft/runtime/config.hpp>

namespace weft {

/// The server's end of one session: waits armed at gRPC as a streaming call, carries many calls when it has come, and
/// deletes itself when gRPC and the services have let go of all of it.
///
///   armed     the request's tag is out
///   open      the done tag is out, the wire reads and writes
///   ending    the client has half-closed, is gone, or broke a rule; answers are written, if they still can be
///   finishing Finish's tag is out
class server::state::incoming_session final : operation,
                                              detail::server_origin,
                                              detail::session_host,
                                              detail::session_wire::stream {
 public:
  explicit incoming_session(state& s)
      : state_{s},
        stream_{&context_},
        wire_{s.queue_, s.server_.runtime_.control(), *this, limits_of(s.server_.options_)} {}

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
    state_.bytes_.request(state_.attach_index_, context_, stream_, state_.queue_.queue(), tag);
  }

  /// The server stops: no further call is begun, and the client ends the session when it has its answers.
  void go_away() noexcept { wire_.go_away(); }

 private:
  template <void (incoming_session::*Then)()>
  struct part final : operation {
    explicit part(incoming_session& i) noexcept : self{i} {}
    void on_event(bool) noexcept override { (self.*Then)(); }
    incoming_session& self;
  };

  static detail::session_limits limits_of(const server_options& o) noexcept {
    return {.window = {o.session_calls, o.session_bytes},
            .batch_bytes = static_cast<std::uint64_t>(o.request_bytes),
            .waiting_bytes = o.session_reply_bytes,
            .pauses = true,
            .metadata_bytes = static_cast<std::size_t>(o.metadata_bytes),
            .longest = o.longest};
  }

  // The request's tag.
  void on_event(bool ok) noexcept override {
    if (!ok) {
      over_ = true;
      return end_if_gone();
    }
    static_cast<void>(state_.queue_.begin(done_));
    done_out_ = true;
    state_.arm_session();
    state_.sessions_.insert(this);
    if (auto s = state_.admission_.enter_session(*this, detail::attach_path); !s.ok()) {
      say_not_run(context_);
      return finish(s);
    }
    way_back_ = std::make_shared<detail::caller_outlet>(state_.home_, wire_);
    wire_.open(*this);
    if (state_.stopping_) go_away();
  }

  void client_done() {
    done_out_ = false;
    if (context_.IsCancelled()) gone_ = true;
    progressed();
  }
  void finished() {
    finishing_ = false;
    over_ = true;
    progressed();
  }

  // Whatever has ended, the next step towards the end is taken here.
  void progressed() noexcept override {
    if (finishing_) return;
    if (over_) return end_if_gone();
    if (gone_ || !wire_.violation().ok()) {
      wire_.break_off();
      way_back_->close();
      // What is given up may end this, one call after the other: it is asked for once.
      if (!std::exchange(stopped_, true)) {
        state_.server_.counters_.cancelled += wire_.serving();
        wire_.stop_serving(weft::cancelled("the client has gone"));
        return progressed();
      }
      if (finishing_ || over_ || wire_.reads() || wire_.writes()) return;
      return finish(wire_.violation().ok() ? weft::cancelled("the client has gone") : wire_.violation());
    }
    if (wire_.reads()) return;
    // The client has half-closed, or is gone, which the done tag tells later: the answers are written.
    way_back_->close();
    if (wire_.serving() == 0 && wire_.written()) finish({});
  }
  void finish(const status& why) noexcept {
    wire_.break_off();  // a goaway, for one, must not be written after it
    void* tag = state_.queue_.begin(finished_);
    if (tag == nullptr) {
      over_ = true;
      return end_if_gone();
    }
    finishing_ = true;
    stream_.Finish(to_grpc(why), tag);
  }
  void end_if_gone() noexcept {
    if (!over_ || done_out_ || wire_.busy()) return;
    if (way_back_) way_back_->close();
    auto& s = state_;
    if (s.sessions_.erase(this) != 0) s.admission_.leave(*this);
    delete this;
    s.ended();
  }

  // The stream's own call.
  const grpc::ServerContext& context() const noexcept override { return context_; }
  bool request_came_compressed() noexcept override { return false; }
  void call_gone() noexcept override {}

  // The wire's.
  void read(grpc::ByteBuffer& into, void* tag) override { stream_.Read(&into, tag); }
  void write(const grpc::ByteBuffer& message, void* tag) override {
    assert(!finishing_);
    stream_.Write(message, tag);
  }
  offer find(std::string_view path) noexcept override {
    for (const auto& m : state_.methods_) {
      if (m.entry->open == nullptr && path == m.entry->info->path) return {m.service, m.entry};
    }
    return {};
  }
  status admit(detail::server_origin& call, const char* path) override {
    ++state_.server_.counters_.calls;
    return state_.admission_.enter_from_session(call, path);
  }
  void left(detail::server_origin& call) noexcept override { state_.admission_.leave(call); }
  const grpc::ServerContext* stream_context() const noexcept override { return &context_; }
  std::string stream_peer() const override { return context_.peer(); }
  metadata stream_metadata() const override { return from_grpc(context_.client_metadata()); }
  std::shared_ptr<detail::session_outlet> outlet_back() override { return way_back_; }
  const std::vector<server_middleware>& middleware() const noexcept override {
    return state_.server_.options_.middleware;
  }
  void count_malformed() noexcept override { ++state_.server_.counters_.malformed; }
  void count_unimplemented() noexcept override { ++state_.server_.counters_.unimplemented; }
  void window_opened() noexcept override { way_back_->window_opened(); }
  void gap(std::uint64_t key) noexcept override { way_back_->gap(key); }
  void returned(detail::session_item& item) noexcept override {
    item.failed(unavailable("the client goes away"), /*may_have_run=*/false);
  }
  void peer_goes_away() noexcept override { way_back_->client_goes(); }
  void key_answered(std::uint64_t) noexcept override {}  // nothing goes elsewhere

  state& state_;
  grpc::ServerContext context_;
  detail::server_byte_stream stream_;
  detail::session_wire wire_;
  std::shared_ptr<detail::caller_outlet> way_back_;
  part<&incoming_session::client_done> done_{*this};
  part<&incoming_session::finished> finished_{*this};
  bool done_out_ = false;
  bool gone_ = false;
  bool stopped_ = false;
  bool finishing_ = false;
  bool over_ = false;
};

}  // namespace weft
