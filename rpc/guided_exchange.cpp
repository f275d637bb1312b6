#include <weft/rpc/guided_exchange.hpp>

#include <utility>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

status guided_exchange::start(exchange::owner& o, worker& home, time_point deadline,
                              const call_extras* extras) noexcept {
  owner_ = &o;
  return guide_.set_out(home, deadline, extras);  // from then on all is the polling worker's
}

void guided_exchange::begin_rest(time_point deadline, const call_extras& extras) noexcept {
  auto refused = inside_->start(*this, *worker::current(), deadline, &extras);
  if (!refused.ok()) return guide_.arrived(std::move(refused));
  begun_ = true;
}

void guided_exchange::arrived() noexcept {
  call_extras reply;
  inside_->take_metadata(reply);
  guide_.arrived(inside_->outcome(), std::move(reply));
}

void guided_exchange::passed(status outcome) noexcept {
  outcome_ = std::move(outcome);
  if (!begun_) inside_->not_expected();
}

void guided_exchange::guide_let_go() noexcept {
  if (ended_) delete this;
}

void guided_exchange::end() noexcept {
  ended_ = true;
  if (!guide_.referenced()) delete this;
}

}  // namespace weft::detail
