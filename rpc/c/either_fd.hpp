#pragma once

namespace weft::c {

/// A descriptor that is readable while one of two others is. Close-on-exec.
class either_fd {
 public:
  /// Both go after it.
  either_fd(int one, int other);
  ~either_fd();
  either_fd(const either_fd&) = delete;
  either_fd& operator=(const either_fd&) = delete;

  int fd() const noexcept { return fd_; }

 private:
  const int fd_;
};

}  // namespace weft::c
