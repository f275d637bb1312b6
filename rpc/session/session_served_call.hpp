#pragma once
#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/middleware.hpp>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/served_passage.hpp>
#include <weft/rpc/server_origin.hpp>
#include <weft/rpc/session/key_lineup.hpp>
#include <weft/rpc/session/session_wire.hpp>
#include <weft/runtime/frame_pool.hpp>

namespace weft::detail {

/// A call that came on a session's stream. It ends when it has been answered and the service has let go of it.
class session_served_call final : call_listener, public server_origin, reply_sink, served_call, public pooled {
 public:
  session_served_call(session_wire& wire, const call_frame& c, const session_host::offer& offer)
      : wire_{wire},
        offer_{offer},
        id_{c.id},
        key_{c.key},
        bytes_{c.request.size()},
        deadline_{saturating_add(wire.batch_came_, limit_of(c, wire.limits_.longest))},
        gapless_{c.gapless} {
    if (c.metadata.any) own_metadata_ = read_entries(c.metadata);
    ++wire_.lives_;
  }

  /// Hands it to its service, now or, when it has a predecessor, later. May destroy *this.
  void begin(std::string_view request) noexcept {
    admitted_ = true;
    if (auto s = wire_.host_.admit(*this, offer_.method->info->path); !s.ok()) return refuse(s);
    if (const auto& layers = wire_.host_.middleware(); !layers.empty()) {
      surrounded_ = std::make_unique<surrounded>(*this, layers, request);
      if (key_ != 0) surrounded_->line_up();
      return surrounded_->passage.enter(deadline_);
    }
    if (auto s = make_call(request); !s.ok()) return refuse(s);
    call_->begin(wire_.control_.home(), deadline_);
    watch();
  }
  /// It has a predecessor.
  void keep(std::string_view request) {
    kept_ = request;
    waits_ = true;
  }
  bool waits() const noexcept { return waits_; }
  void begin_kept() noexcept {
    waits_ = false;
    const auto request = std::exchange(kept_, {});
    begin(request);
  }
  /// It is not answered yet.
  void give_up(status why) noexcept {
    if (surrounded_) {
      if (!surrounded_->passage.over()) surrounded_->passage.stop(std::move(why));  // ends in `passed`
    } else if (call_) {
      call_->give_up(std::move(why));  // ends in `completed`
    } else {
      refuse(why);
    }
  }
  /// It is answered without having been begun. May destroy *this.
  void refuse(const status& why) noexcept {
    say(why, /*not_run=*/true, nullptr, nullptr);
    answered(/*gap=*/true);
  }

  std::uint64_t id() const noexcept { return id_; }
  std::uint64_t key() const noexcept { return key_; }
  std::size_t bytes() const noexcept { return bytes_; }
  bool gapless() const noexcept { return gapless_; }

 private:
  static duration limit_of(const call_frame& c, duration longest) noexcept {
    constexpr auto most = static_cast<std::uint64_t>(std::chrono::microseconds::max().count() / 1'000'000);
    if (c.limit_us == 0 || c.limit_us > most) return longest;
    return std::min<duration>(std::chrono::microseconds{c.limit_us}, longest);
  }

  // Where the server has middleware, in which calls of a key may overtake each other; they reach the service in order.
  struct surrounded final : key_lineup::place {
    surrounded(session_served_call& c, const std::vector<server_middleware>& layers, std::string_view r)
        : call{c}, passage{c.wire_.control_, c, layers}, request{r} {}
    void line_up() {
      call.wire_.lineup_.enter(call.key_, *this);
      in_line = true;
    }
    void leave_line() noexcept {
      if (std::exchange(in_line, false)) call.wire_.lineup_.leave(call.key_, *this);
    }
    void your_turn() noexcept override {
      in_line = false;
      call.call_service();
    }
    session_served_call& call;
    bool in_line = false;
    const weft::context* caller = nullptr;  // its innermost layer waits for the service
    served_passage passage;
    std::string request;
    std::string reply;  // serialised
    metadata headers;
    metadata trailers;
    bool may_have_run = false;
    bool has_run = false;
  };

  // INVALID_ARGUMENT when the request is no such message.
  status make_call(std::string_view request) noexcept {
    if (auto s = accept(*offer_.method, *offer_.service, *this, request, call_); !s.ok()) {
      wire_.host_.count_malformed();
      return s;
    }
    ++parts_left_;
    return {};
  }
  void watch() noexcept {
    if (call_->settled()) {
      completed();
    } else {
      call_->tell(*this);
    }
  }

  void completed() noexcept override {
    auto outcome = offer_.method->take(*call_, *this);
    const bool may_have_run = outcome.ok() || call_->may_have_run();
    const bool has_run = outcome.ok() || call_->has_run();  // what may have run and may not is a gap
    const auto* extras = call_->arrived_extras();
    if (surrounded_) {
      if (extras != nullptr) {
        surrounded_->headers = extras->headers;
        surrounded_->trailers = extras->trailers;
      }
      surrounded_->may_have_run = may_have_run;
      surrounded_->has_run = has_run;
      call_.reset();
      return surrounded_->passage.rest_ended(std::move(outcome));
    }
    if (!outcome.ok()) {
      say(outcome, !may_have_run, extras != nullptr ? &extras->headers : nullptr,
          extras != nullptr ? &extras->trailers : nullptr);
    }
    call_.reset();
    answered(!has_run);
  }

  const method_info& info() const noexcept override { return *offer_.method->info; }
  call_origin& origin() noexcept override { return *this; }
  void identify(std::string who) noexcept override { is_from(std::move(who)); }
  void begin_rest(const weft::context& caller) noexcept override {
    auto& around = *surrounded_;
    around.caller = &caller;
    if (!around.in_line) return call_service();
    wire_.lineup_.ready(key_, around);
  }
  void call_service() noexcept {
    auto& around = *surrounded_;
    const auto& caller = *std::exchange(around.caller, nullptr);
    const auto request = std::exchange(around.request, {});
    if (auto s = make_call(request); !s.ok()) return around.passage.rest_ended(std::move(s));
    call_->begin(caller, duration::max());
    watch();
  }
  void give_up_rest(const status& why) noexcept override {
    if (call_) return call_->give_up(why);  // ends in `completed`
    auto& around = *surrounded_;
    if (std::exchange(around.caller, nullptr) == nullptr) return;
    around.leave_line();
    around.passage.rest_ended(why);
  }
  void passed(const status& outcome) noexcept override {
    auto& around = *surrounded_;
    around.leave_line();
    if (const auto headers = around.passage.take_headers(); headers.ok()) {
      for (const auto& [key, value] : *headers) around.headers.add(key, value);
    }
    for (const auto& [key, value] : around.passage.trailers()) around.trailers.add(key, value);
    if (!outcome.ok()) {
      say(outcome, !around.may_have_run, &around.headers, &around.trailers);
    } else if (auto s = fits(around.reply.size(), &around.headers, &around.trailers); !s.ok()) {
      say(s, /*not_run=*/false, nullptr, nullptr);  // what the middleware has added is too much
    } else if (!wire_.broken_) {
      auto* at = wire_.say_reply(id_, bytes_, around.reply.size(), &around.headers, &around.trailers);
      std::ranges::copy(around.reply, at);
    }
    answered(!around.has_run);
  }

  // The reply, into the batch that is written next.
  status put(const google::protobuf::MessageLite& reply) override {
    if (wire_.broken_) return {};
    std::size_t bytes = 0;
    if (auto s = measure(reply, bytes); !s.ok()) return s;
    const auto* extras = call_->arrived_extras();
    const auto* headers = extras != nullptr ? &extras->headers : nullptr;
    const auto* trailers = extras != nullptr ? &extras->trailers : nullptr;
    if (auto s = fits(bytes, headers, trailers); !s.ok()) return s;
    if (surrounded_) {
      surrounded_->reply.resize(bytes);
      reply.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(surrounded_->reply.data()));
    } else {
      reply.SerializeWithCachedSizesToArray(wire_.say_reply(id_, bytes_, bytes, headers, trailers));
    }
    return {};
  }
  void say(const status& why, bool not_run, const metadata* headers, const metadata* trailers) {
    if (!wire_.broken_) wire_.say_error(id_, bytes_, why, not_run, headers, trailers);
  }
  // RESOURCE_EXHAUSTED when the caller would not read it.
  status fits(std::size_t bytes, const metadata* headers, const metadata* trailers) const {
    constexpr std::size_t most_of_frame = 64;  // beside message and metadata
    const bool small = headers == nullptr && trailers == nullptr && bytes + most_of_frame <= wire_.peer_batch_bytes_;
    return small ? status{} : fits_framed(bytes, headers, trailers);
  }
  WEFT_NOINLINE status fits_framed(std::size_t bytes, const metadata* headers, const metadata* trailers) const {
    const auto framed = batch_writer::size_of_reply(id_, bytes, headers, trailers);
    if (framed <= wire_.peer_batch_bytes_) return {};
    return resource_exhausted("the reply has " + std::to_string(framed) + " bytes, and the session takes " +
                              std::to_string(wire_.peer_batch_bytes_));
  }
  void answered(bool gap) noexcept {
    wire_.answered(*this, gap);
    part_ended();
  }
  void call_gone() noexcept override { part_ended(); }
  void part_ended() noexcept {
    if (--parts_left_ != 0) return;
    auto& wire = wire_;
    if (admitted_) wire.host_.left(*this);
    --wire.lives_;
    delete this;
    // While the stream is read it can only be this side that ends it, which waits for the answer to be written too.
    if (!wire.reading_ || wire.lives_ == 0) wire.host_.progressed();
  }

  // What came with the stream is sent with every call of it.
  const metadata& received() override {
    if (!received_) {
      received_ = wire_.host_.stream_metadata();
      for (const auto& [key, value] : own_metadata_) received_->add(key, value);
    }
    return *received_;
  }
  std::string peer() const override { return wire_.host_.stream_peer(); }
  std::shared_ptr<void> way_back() override { return wire_.host_.outlet_back(); }
  const grpc::ServerContext& context() const noexcept override { return *wire_.host_.stream_context(); }
  bool request_came_compressed() noexcept override { return false; }

  session_wire& wire_;
  const session_host::offer offer_;
  const std::uint64_t id_;
  const std::uint64_t key_;
  const std::size_t bytes_;
  const time_point deadline_;
  const bool gapless_;
  bool admitted_ = false;  // it was counted
  bool waits_ = false;     // for its predecessor
  std::string kept_;       // the request, while it has a predecessor
  int parts_left_ = 1;
  call_holder call_;
  std::unique_ptr<surrounded> surrounded_;
  metadata own_metadata_;
  std::optional<metadata> received_;
};

}  // namespace weft::detail
