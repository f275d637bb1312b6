#include "embed/epoll_pump.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace embed {

epoll_pump::epoll_pump(int epoll, weft::runtime& rt, weft::duration budget) : rt_{rt}, budget_{budget}, epoll_{epoll} {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.ptr = this;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, rt.wake_fd(), &wanted) != 0) {
    throw std::system_error{errno, std::generic_category(), "epoll_ctl"};
  }
}

epoll_pump::~epoll_pump() { epoll_ctl(epoll_, EPOLL_CTL_DEL, rt_.wake_fd(), nullptr); }

int epoll_pump::timeout_ms() const {
  if (next_timer_ == weft::never) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_timer_ - rt_.time().now());
  return static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left.count(), 0, 60'000));
}

}  // namespace embed
