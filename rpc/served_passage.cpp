#include <weft/rpc/served_passage.hpp>

#include <utility>

namespace weft {

const metadata& incoming::metadata() const noexcept { return call_.origin().received(); }
std::string incoming::peer() const { return call_.origin().peer(); }
const std::string& incoming::identity() const noexcept { return call_.origin().identity(); }
void incoming::identify(std::string who) noexcept { call_.identify(std::move(who)); }
const method_info& incoming::info() const noexcept { return call_.info(); }

namespace detail {

void served_passage::enter(time_point deadline) {
  deadline_ = deadline;
  call_.origin().received();  // now: the handler may ask for it on another worker at the same time
  passage::enter(deadline);
}

result<metadata> served_passage::take_headers() {
  if (auto s = headers_.check(); !s.ok()) {
    headers_ = {};
    return unsendable(s);
  }
  return std::exchange(headers_, {});
}

void served_passage::passed(status outcome) noexcept {
  auto sendable = headers_.check();
  if (sendable.ok()) sendable = trailers_.check();
  if (!sendable.ok()) {
    headers_ = trailers_ = {};
    outcome = unsendable(sendable);
  }
  call_.passed(outcome);
}

status served_passage::unsendable(const status& why) const {
  return internal_error(std::string{call_.info().path} + ": " + why.message());
}

}  // namespace detail
}  // namespace weft
