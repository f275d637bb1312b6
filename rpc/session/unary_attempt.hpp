#pragma once
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <utility>
#include <weft/rpc/session/session_core.hpp>
#include <weft/rpc/unary.hpp>
#include <weft/runtime/frame_pool.hpp>

namespace weft::detail {

/// A call of a session to a server without sessions: a unary call. Deletes itself when that has come back.
class unary_attempt final : exchange::owner, public pooled {
 public:
  unary_attempt(std::shared_ptr<session_core> core, session_item& item) noexcept
      : core_{std::move(core)}, item_{&item}, order_{item.order()}, serial_{item.serial} {}

  /// False, and it is gone, when the call surely does not run, because of `why`.
  bool begin(const grpc::ByteBuffer& request, status& why) noexcept {
    exchange_.reset(exchange::make(core_->to(), item_->method(), request));
    item_->attempt = this;
    why = exchange_->start(*this, core_->home(), item_->deadline(), item_->extras());
    if (why.ok()) return true;
    item_->attempt = nullptr;
    delete this;
    return false;
  }
  /// Nobody waits for it any more.
  void abandon() noexcept {
    item_ = nullptr;
    exchange_->cancel();
  }

 private:
  void arrived() noexcept override {
    const bool ran = exchange_->outcome().ok() || !exchange_->surely_not_run();
    if (!ran && order_.gapless) core_->stop_behind(order_.key, serial_);
    if (item_ != nullptr) {
      auto& item = *item_;
      item.attempt = nullptr;
      core_->unary_out_.remove(item);
      item.answered_unary(std::move(exchange_));
    }
    const auto core = core_;
    const auto key = order_.key;
    delete this;
    if (key != 0) core->unary_ended(key);
  }

  const std::shared_ptr<session_core> core_;
  session_item* item_;
  const session_order order_;
  const std::uint64_t serial_;
  std::unique_ptr<exchange, exchange::destroy> exchange_;
};

}  // namespace weft::detail
