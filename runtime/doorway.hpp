#pragma once
#include <atomic>
#include <cstdint>

namespace weft {

/// Counts what is on its way to a service (calls from other workers, its own tasks and ticks), and lets nothing in once it is
/// closed. Any thread.
///
/// The word is four times the number of those on their way, plus `closing` and `closed`.
///   1. who wants in adds 4 by an exchange, which fails when it is closed, or closing and they are new.
///   2. the service, when it stops, sets `closing`: from then on the number of new ones only falls.
///   3. it sets `closed` by an exchange of a word that counts nobody. Who leaves tells the service, which then tries again.
///      Nothing is added and taken back, so a try that fails is always followed by somebody who leaves.
/// A service that has closed it can be destroyed: nobody is on the way, and nobody sets out any more. The doorway itself
/// lives as long as tickets refer to it.
class doorway {
 public:
  /// For new work.
  bool enter() noexcept { return enter_unless(closing | closed); }
  /// For who asks about work that was taken.
  bool enter_late() noexcept { return enter_unless(closed); }
  void leave() noexcept { word_.fetch_sub(one, std::memory_order_acq_rel); }

  void begin_closing() noexcept { word_.fetch_or(closing, std::memory_order_acq_rel); }
  /// True when it is closed, now or before; false while somebody is on the way.
  bool try_close() noexcept {
    auto word = word_.load(std::memory_order_acquire);
    while (word < one && (word & closed) == 0) {
      if (word_.compare_exchange_weak(word, word | closed, std::memory_order_acq_rel)) return true;
    }
    return (word & closed) != 0;
  }

 private:
  static constexpr std::uint32_t closed = 1, closing = 2, one = 4;

  bool enter_unless(std::uint32_t shut) noexcept {
    auto word = word_.load(std::memory_order_acquire);
    do {
      if ((word & shut) != 0) return false;
    } while (!word_.compare_exchange_weak(word, word + one, std::memory_order_acq_rel, std::memory_order_acquire));
    return true;
  }

  std::atomic<std::uint32_t> word_{0};
};

}  // namespace weft
