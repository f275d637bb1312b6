#pragma once
#include <atomic>
#include <cstdint>

namespace weft {

/// Counts the calls that are on their way to a service from other workers, and lets none in once it is closed. Any thread.
///
/// The word is twice the number of those on their way, and 1 when it is closed.
///   1. who wants in adds 2. Was it not closed, then it stays so until they have left: 2 can only close a word of 0.
///   2. the service closes it by an exchange of 0 for 1, when it has stopped.
///   3. who finds it closed takes the 2 back and touches the service no more.
/// So a service that has closed its doorway can be destroyed; the doorway itself lives as long as tickets refer to it.
class doorway {
 public:
  bool enter() noexcept {
    if ((word_.fetch_add(2, std::memory_order_acq_rel) & closed) == 0) return true;
    word_.fetch_sub(2, std::memory_order_relaxed);
    return false;
  }
  void leave() noexcept { word_.fetch_sub(2, std::memory_order_acq_rel); }
  /// True when it is closed, now or before; false while somebody is on the way.
  bool try_close() noexcept {
    std::uint32_t nobody = 0;
    return word_.compare_exchange_strong(nobody, closed, std::memory_order_acq_rel) || (nobody & closed) != 0;
  }

 private:
  static constexpr std::uint32_t closed = 1;
  std::atomic<std::uint32_t> word_{0};
};

}  // namespace weft
