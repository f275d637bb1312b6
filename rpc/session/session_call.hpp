#pragma once
#include <memory>
#include <string>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/rpc/session/session_item.hpp>
#include <weft/runtime/call.hpp>

namespace weft {

/// A typed call over a session.
template <class Reply>
class session_call final : public call_of<Reply>, detail::session_item {
 public:
  session_call(std::shared_ptr<detail::session_outlet> to, detail::session_order order, const method_info& method,
               const google::protobuf::MessageLite& request)
      : session_item{std::move(to), order, method, request} {}

 private:
  const char* name() const noexcept override { return this->method().path; }
  bool may_have_run() const noexcept override { return call_of<Reply>::may_have_run() && !this->surely_not_run(); }
  status depart(worker& home, time_point deadline, const context*) noexcept override {
    return session_item::depart(home, deadline);
  }
  void stays(worker& home) noexcept override { session_item::stays(home); }
  void cancel() noexcept override { session_item::cancel(); }
  bool referenced() const noexcept override { return session_item::referenced(); }
  result<Reply> take_reply() override {
    if (auto s = this->take_outcome(); !s.ok()) return s;
    return std::move(reply_);
  }

  const call_extras* extras() const noexcept override { return this->extras_if_any(); }
  call_extras* reply_extras() noexcept override {
    return this->extras_if_any() != nullptr ? &this->extras_here() : nullptr;
  }
  status read_reply(std::string_view bytes) noexcept override { return weft::parse(bytes, reply_); }
  status read_reply(std::unique_ptr<detail::exchange, detail::exchange::destroy> from) noexcept override {
    return from->take(reply_);
  }
  void item_home() noexcept override { this->came_back(); }
  void item_late() noexcept override {
    this->give_up(deadline_exceeded(std::string{this->method().path} + " took too long"));
  }
  void order_back() noexcept override { this->end_if_done(); }

  Reply reply_;
};

}  // namespace weft
