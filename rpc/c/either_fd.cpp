#include <weft/rpc/c/either_fd.hpp>

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace weft::c {

either_fd::either_fd(int one, int other) : fd_{epoll_create1(EPOLL_CLOEXEC)} {
  if (fd_ < 0) throw std::system_error{errno, std::generic_category(), "epoll_create1"};
  for (const int fd : {one, other}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0) continue;
    const int why = errno;
    close(fd_);
    throw std::system_error{why, std::generic_category(), "epoll_ctl"};
  }
}

either_fd::~either_fd() { close(fd_); }

}  // namespace weft::c
