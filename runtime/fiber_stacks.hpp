#pragma once
#include <cstddef>
#include <utility>
#include <vector>

namespace weft {

namespace detail {
class fiber_run;
}

/// Memory of one fiber's stack: pages that the kernel provides as they are touched, and below them one that may not be.
class fiber_stack {
 public:
  fiber_stack() noexcept = default;
  /// `bytes`: a multiple of the page size. Throws std::bad_alloc when the kernel has no room, or too many mappings (two a
  /// stack; Linux allows some 65,000 a process).
  explicit fiber_stack(std::size_t bytes);
  fiber_stack(fiber_stack&& other) noexcept
      : bottom_{std::exchange(other.bottom_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}
  fiber_stack& operator=(fiber_stack&& other) noexcept {
    auto moved = std::move(other);
    std::swap(bottom_, moved.bottom_);
    std::swap(bytes_, moved.bytes_);
    return *this;
  }
  ~fiber_stack();

  explicit operator bool() const noexcept { return bottom_ != nullptr; }
  char* bottom() const noexcept { return bottom_; }
  char* top() const noexcept { return bottom_ + bytes_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  char* bottom_ = nullptr;  // above the guard page
  std::size_t bytes_ = 0;
};

/// A worker's stacks for fibers, and the fiber that runs there. On the worker only.
class fiber_stacks {
 public:
  /// So many are kept for the next fibers; more are given back to the kernel.
  static constexpr std::size_t most_idle = 64;

  /// Rounds `bytes` up to whole pages.
  explicit fiber_stacks(std::size_t bytes);

  /// One that was used before, if there is one. Throws as `fiber_stack`.
  fiber_stack take();
  /// Nothing runs on it any more.
  void give_back(fiber_stack used) noexcept;

  std::size_t idle() const noexcept { return idle_.size(); }

  detail::fiber_run* running = nullptr;

 private:
  const std::size_t bytes_;
  std::vector<fiber_stack> idle_;
};

}  // namespace weft
