#pragma once
#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/server_origin.hpp>
#include <weft/rpc/session/session_wire.hpp>
#include <weft/runtime/frame_pool.hpp>

namespace weft::detail {

/// A call that came on a session's stream. It ends when it has been answered and the service has let go of it.
class session_served_call final : call_listener, public server_origin, reply_sink, public pooled {
 public:
  session_served_call(session_wire& wire, const call_frame& c, const session_host::offer& offer)
      : wire_{wire},
        offer_{offer},
        id_{c.id},
        key_{c.key},
        bytes_{c.request.size()},
        deadline_{saturating_add(wire.control_.home().now(), limit_of(c, wire.limits_.longest))},
        gapless_{c.gapless} {
    if (c.metadata.any) own_metadata_ = read_entries(c.metadata);
    ++wire_.lives_;
  }

  /// Hands it to its service, now or, when it has a predecessor, later. May destroy *this.
  void begin(std::string_view request) noexcept {
    admitted_ = true;
    if (auto s = wire_.host_.admit(*this, offer_.method->info->path); !s.ok()) return refuse(s);
    auto accepted = accept(*offer_.method, *offer_.service, *this, request);
    if (!accepted.ok()) {
      wire_.host_.count_malformed();
      return refuse(accepted.status());
    }
    call_ = std::move(*accepted);
    ++parts_left_;
    call_->begin(wire_.control_.home(), deadline_);
    if (call_->settled()) {
      completed();
    } else {
      call_->tell(*this);
    }
  }
  /// It has a predecessor.
  void keep(std::string_view request) { kept_ = request; }
  void begin_kept() noexcept {
    const auto request = std::exchange(kept_, {});
    begin(request);
  }
  /// It is not answered yet.
  void give_up(status why) noexcept {
    if (call_) {
      call_->give_up(std::move(why));  // ends in `completed`
    } else {
      refuse(why);
    }
  }
  /// It is answered without having been begun. May destroy *this.
  void refuse(const status& why) noexcept {
    say(why, /*not_run=*/true, nullptr);
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

  void completed() noexcept override {
    const auto outcome = offer_.method->take(*call_, *this);
    const bool gap = !call_->has_run();  // or so it may be
    if (!outcome.ok()) say(outcome, !call_->may_have_run(), call_->arrived_extras());
    call_.reset();
    answered(gap);
  }
  // The reply, into the batch that is written next.
  status put(const google::protobuf::MessageLite& reply) override {
    if (wire_.broken_) return {};
    std::size_t bytes = 0;
    if (auto s = measure(reply, bytes); !s.ok()) return s;
    const auto* extras = call_->arrived_extras();
    const auto* headers = extras != nullptr ? &extras->headers : nullptr;
    const auto* trailers = extras != nullptr ? &extras->trailers : nullptr;
    const auto framed = batch_writer::size_of_reply(id_, bytes, headers, trailers);
    if (framed > wire_.peer_batch_bytes_) {
      return resource_exhausted("the reply has " + std::to_string(framed) + " bytes, and the session takes " +
                                std::to_string(wire_.peer_batch_bytes_));
    }
    reply.SerializeWithCachedSizesToArray(wire_.writer_.reply(id_, bytes, headers, trailers));
    return {};
  }
  void say(const status& why, bool not_run, const call_extras* extras) {
    if (wire_.broken_) return;
    wire_.writer_.error(id_, why, not_run, extras != nullptr ? &extras->headers : nullptr,
                        extras != nullptr ? &extras->trailers : nullptr);
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
    wire.host_.progressed();
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
  std::string kept_;       // the request, while it has a predecessor
  int parts_left_ = 1;
  call_holder call_;
  metadata own_metadata_;
  std::optional<metadata> received_;
};

}  // namespace weft::detail
