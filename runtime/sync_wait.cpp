#include <weft/runtime/sync_wait.hpp>

namespace weft::detail {

void refuse_to_block_worker() noexcept {
  if (worker::current() != nullptr) {
    misuse("sync_wait was called on a worker, which it would block: co_await the task instead");
  }
}

void pump_once(runtime& rt) noexcept {
  const auto left = rt.pump();
  if (!left.more) rt.worker_at(0).source().poll(left.next_timer);
}

}  // namespace weft::detail
