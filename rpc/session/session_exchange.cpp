#include <weft/rpc/session/session_exchange.hpp>

#include <string>
#include <utility>
#include <weft/rpc/bytes.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

void session_exchange::expected() {
  if (order().key == 0) return;
  core_->lineup().enter(order().key, *this);
  in_line_ = true;
}

void session_exchange::not_expected() noexcept {
  if (order().gapless) core_->gap(order().key);
  if (std::exchange(in_line_, false)) core_->lineup().leave(order().key, *this);
}

status session_exchange::start(exchange::owner& o, worker& home, time_point deadline,
                               const call_extras* extras) noexcept {
  owner_ = &o;
  extras_ = extras;
  if (!in_line_) return depart(home, deadline);
  home_ = &home;
  deadline_ = deadline;
  core_->lineup().ready(order().key, *this);
  return {};
}

void session_exchange::your_turn() noexcept {
  in_line_ = false;
  if (auto s = depart(*home_, deadline_); !s.ok()) come_back(*home_, std::move(s));
}

void session_exchange::abandon(status why) noexcept {
  if (!given_up_.ok()) return;
  given_up_ = std::move(why);
  if (!in_line_) return session_item::cancel();
  not_expected();
  come_back(*home_, given_up_);
}

void session_exchange::item_late() noexcept {
  abandon(deadline_exceeded(std::string{method().path} + " took too long"));
}

void session_exchange::item_home() noexcept {
  outcome_ = given_up_.ok() ? take_outcome() : given_up_;
  owner_->arrived();
}

status session_exchange::read_reply(std::string_view bytes) noexcept {
  reply_ = bytes;
  return {};
}

status session_exchange::read_reply(std::unique_ptr<exchange, exchange::destroy> from) noexcept {
  unary_ = std::move(from);
  return unary_->outcome();
}

status session_exchange::take(google::protobuf::MessageLite& reply) {
  if (!outcome_.ok()) return outcome_;
  return unary_ ? unary_->take(reply) : parse(reply_, reply);
}

void session_exchange::take_metadata(call_extras& into) {
  into.headers = came_.headers;
  into.trailers = came_.trailers;
  into.reply_came_compressed = came_.reply_came_compressed;
}

}  // namespace weft::detail
