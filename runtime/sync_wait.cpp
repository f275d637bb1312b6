#include <weft/runtime/sync_wait.hpp>

namespace weft::detail {

void refuse_to_block_worker() noexcept {
  if (worker::current() != nullptr) {
    misuse("sync_wait was called on a worker, which it would block: co_await the task instead");
  }
}

void pump_until(runtime& rt, const std::atomic<bool>& done) noexcept {
  for (;;) {
    const bool more = rt.pump().more;
    if (done.load(std::memory_order_acquire)) return;
    if (!more) rt.worker_at(0).rest();
  }
}

}  // namespace weft::detail
