#include "embed/asio_pump.hpp"

#include <utility>

namespace asio = boost::asio;

namespace embed {

asio_pump::asio_pump(asio::io_context& context, weft::runtime& rt, weft::duration budget)
    : rt_{rt}, budget_{budget}, awake_{context, rt.wake_fd()}, timer_{context} {
  watch();
}

void asio_pump::watch() {
  awake_.async_wait(asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    pump();
    watch();
  });
}

void asio_pump::pump() {
  const auto left = rt_.pump(budget_);  // what it leaves keeps the descriptor readable
  if (std::exchange(due_, left.next_timer) == left.next_timer) return;
  if (due_ == weft::never) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(due_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    due_ = weft::never;
    pump();
  });
}

}  // namespace embed
