#pragma once
#include <memory>
#include <utility>
#include <weft/rpc/local_exchange.hpp>
#include <weft/rpc/unary.hpp>

namespace weft::detail {

/// Where a call by name goes, found out once.
struct route {
  const char* name = "call by name";  ///< The method's path.
  status refusal;                     ///< Why it goes nowhere.
  std::unique_ptr<exchange, exchange::destroy> way;
  local_exchange* local = nullptr;  ///< `way`, when it does not leave the process.
};

/// A unary call by name, whatever becomes of the bytes that come back.
template <class Value>
class named_call : public call_of<Value>, local_exchange::asker {
 public:
  explicit named_call(route r) noexcept : route_{std::move(r)} {}

 private:
  /// What the caller gets.
  virtual result<Value> read(exchange& arrived) = 0;

  const char* name() const noexcept override { return route_.name; }
  const context* blocked_by() const noexcept override {
    return route_.local != nullptr ? route_.local->blocked_by() : nullptr;
  }
  status depart(worker& home, time_point deadline, const context* caller) noexcept override {
    if (!route_.refusal.ok()) return route_.refusal;
    if (route_.local != nullptr) route_.local->on_behalf_of(caller, *this);
    route_.way->called_by(caller);
    return route_.way->start(*this, home, deadline, this->extras_if_any());
  }
  void cancel() noexcept override { route_.way->cancel(); }
  void arrived() noexcept override { this->came_back(); }
  const context* waiting() const noexcept override {
    return this->listener() != nullptr ? this->listener()->waiting_task() : nullptr;
  }
  result<Value> take_reply() override {
    if (this->extras_if_any() != nullptr) route_.way->take_metadata(this->extras_here());
    return read(*route_.way);
  }

  route route_;
};

template <class Reply>
class typed_named_call final : public named_call<Reply> {
  using named_call<Reply>::named_call;

  result<Reply> read(exchange& arrived) override {
    Reply reply;
    if (auto s = arrived.take(reply); !s.ok()) return s;
    return reply;
  }
};

}  // namespace weft::detail
