#pragma once
#include <memory>
#include <string>
#include <weft/rpc/session/key_lineup.hpp>
#include <weft/rpc/session/session_core.hpp>
#include <weft/rpc/unary.hpp>
#include <weft/runtime/frame_pool.hpp>

namespace weft::detail {

/// A call over a session in bytes: what stands beneath the middleware of the session's peer. Its key's order is that in which
/// the calls reached the middleware.
class session_exchange final : public exchange, session_item, key_lineup::place, public pooled {
 public:
  session_exchange(std::shared_ptr<session_core> core, session_order order, const method_info& method,
                   const google::protobuf::MessageLite& request)
      : session_item{core, order, method, request}, core_{std::move(core)} {}

  void expected() override;
  void not_expected() noexcept override;
  void stays(worker& home) noexcept override { session_item::stays(home); }
  status start(exchange::owner& o, worker& home, time_point deadline, const call_extras* extras) noexcept override;
  void cancel() noexcept override { abandon(cancelled("the caller gave up")); }
  status outcome() const override { return outcome_; }
  status take(google::protobuf::MessageLite& reply) override;
  bool surely_not_run() const override { return session_item::surely_not_run(); }
  void take_metadata(call_extras& into) override;

 private:
  void your_turn() noexcept override;
  void end() noexcept override { delete this; }
  void abandon(status why) noexcept;

  const call_extras* extras() const noexcept override { return extras_; }
  call_extras* reply_extras() noexcept override { return &came_; }
  status read_reply(std::string_view bytes) noexcept override;
  status read_reply(std::unique_ptr<exchange, exchange::destroy> from) noexcept override;
  void item_home() noexcept override;
  void item_late() noexcept override;
  void order_back() noexcept override {}  // it starts on the outlet's worker, where none is needed

  const std::shared_ptr<session_core> core_;
  exchange::owner* owner_ = nullptr;
  worker* home_ = nullptr;
  time_point deadline_ = never;
  const call_extras* extras_ = nullptr;
  bool in_line_ = false;
  status given_up_;
  status outcome_;
  call_extras came_;
  std::string reply_;
  std::unique_ptr<exchange, exchange::destroy> unary_;  // the reply came by it
};

}  // namespace weft::detail
