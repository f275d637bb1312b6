#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <weft/rpc/session/item_list.hpp>
#include <weft/rpc/session/session_wire.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

/// A server's calls of the client of one session. It outlives that; then all calls fail.
class caller_outlet final : public session_outlet {
 public:
  caller_outlet(worker& home, session_wire& wire) noexcept : session_outlet{home}, wire_{&wire} {}

  status start(session_item& item) noexcept override {
    if (wire_ == nullptr || goes_) return over();
    const auto& order = item.order();
    if (order.gapless && stopped_keys_.contains(order.key)) {
      return aborted("a call before it of the same lane did not run");
    }
    if (waiting_.empty() && wire_->takes(item)) return wire_->send(item);
    if (waiting_.size() >= most_waiting) return resource_exhausted("so many calls of this client wait already");
    item.at = session_item::place::waiting;
    waiting_.push_back(item);
    return {};
  }
  bool give_up(session_item& item) noexcept override {
    if (item.at == session_item::place::sent) {
      if (item.wire != nullptr) item.wire->cancel(item);
      return true;
    }
    waiting_.remove(item);
    if (item.order().gapless) gap(item.order().key);
    return false;
  }
  void gap(std::uint64_t key) noexcept override { stopped_keys_.insert(key); }
  void resume(std::uint64_t key) noexcept override {
    stopped_keys_.erase(key);
    if (wire_ != nullptr) wire_->forget(key);
  }

  void window_opened() noexcept {
    while (!waiting_.empty() && wire_ != nullptr && wire_->takes(waiting_.front())) {
      auto& item = waiting_.pop_front();
      if (auto s = wire_->send(item); !s.ok()) item.failed(std::move(s), /*may_have_run=*/false);
    }
  }
  /// The client answers what was sent, and takes nothing more.
  void client_goes() noexcept {
    goes_ = true;
    fail_waiting();
  }
  /// No answer comes any more.
  void close() noexcept {
    if (wire_ == nullptr) return;
    auto* wire = std::exchange(wire_, nullptr);
    for (auto* item = wire->take_sent(); item != nullptr;) {
      auto& i = *std::exchange(item, std::exchange(item->next, nullptr));
      i.failed(over(), /*may_have_run=*/true);
    }
    fail_waiting();
  }

 private:
  static constexpr std::size_t most_waiting = 65'536;
  static status over() { return unavailable("the session of this client is over"); }

  void fail_waiting() noexcept {
    while (!waiting_.empty()) waiting_.pop_front().failed(over(), /*may_have_run=*/false);
  }

  session_wire* wire_;
  bool goes_ = false;
  item_list waiting_;
  std::unordered_set<std::uint64_t> stopped_keys_;
};

}  // namespace weft::detail
