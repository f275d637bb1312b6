#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <tuple>
#include <utility>
#include <weft/runtime/pump.hpp>

namespace weft {

pump_signal::pump_signal(std::function<void()> call)
    : call_{std::move(call)}, fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
  if (fd_ < 0) throw std::system_error{errno, std::generic_category(), "eventfd"};
}

pump_signal::~pump_signal() { close(fd_); }

void pump_signal::raise() noexcept {
  {
    std::lock_guard lock{mutex_};
    if (raised_.exchange(true)) return;
    const std::uint64_t one = 1;
    std::ignore = write(fd_, &one, sizeof one);
  }
  if (call_) call_();
}

void pump_signal::lower() noexcept {
  std::lock_guard lock{mutex_};
  if (!raised_.exchange(false)) return;
  std::uint64_t count = 0;
  std::ignore = read(fd_, &count, sizeof count);
}

void pump_signal::wait(time_point until) const noexcept {
  pollfd waited{fd_, POLLIN, 0};
  timespec left{};
  if (until != never) {
    const auto d = std::max(until - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration::zero());
    left.tv_sec = static_cast<time_t>(d / std::chrono::seconds{1});
    left.tv_nsec = static_cast<long>((d % std::chrono::seconds{1}) / std::chrono::nanoseconds{1});
  }
  std::ignore = ppoll(&waited, 1, until == never ? nullptr : &left, nullptr);
}

}  // namespace weft
