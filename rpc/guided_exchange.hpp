#pragma once
#include <memory>
#include <weft/rpc/guide.hpp>
#include <weft/rpc/unary.hpp>

namespace weft::detail {

/// A unary call through its peer's middleware, around another exchange: outside of its retries, so that a call is seen once.
/// Made and destroyed on the caller's worker; what is inside starts and arrives on the polling one.
class guided_exchange final : public exchange, exchange::owner, guided_call, public pooled {
 public:
  /// Owns `inside`.
  guided_exchange(const std::shared_ptr<channel>& to, const method_info& method, exchange* inside)
      : exchange{caller::looked_at}, inside_{inside}, guide_{*this, to, method} {}

  status start(exchange::owner& o, worker& home, time_point deadline, const call_extras* extras) noexcept override;
  void stays(worker& home) noexcept override { inside_->stays(home); }
  void cancel() noexcept override { guide_.turn_back(); }
  status outcome() const override { return outcome_; }
  bool surely_not_run() const override { return !begun_ || inside_->surely_not_run(); }
  status take(google::protobuf::MessageLite& reply) override { return outcome_.ok() ? inside_->take(reply) : outcome_; }
  void take_metadata(call_extras& into) override {
    if (begun_) inside_->take_metadata(into);
  }

 private:
  void look_at(const context& caller) override { guide_.look_at(caller); }
  void end() noexcept override;

  void entering() noexcept override { inside_->expected(); }
  void begin_rest(time_point deadline, const call_extras& extras) noexcept override;
  void give_up_rest() noexcept override { inside_->cancel(); }
  void passed(status outcome) noexcept override;
  void came_home() noexcept override { owner_->arrived(); }
  void guide_let_go() noexcept override;

  void arrived() noexcept override;

  const std::unique_ptr<exchange, exchange::destroy> inside_;
  guide guide_;
  exchange::owner* owner_ = nullptr;
  status outcome_;
  bool begun_ = false;  // what is inside
  bool ended_ = false;  // its owner has let go
};

}  // namespace weft::detail
