#include <weft/runtime/semaphore.hpp>

#include <string>

namespace weft {

bool semaphore::wait(awaiter& w, std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  if (!waiters_.wait_in(w, h, ctx, where)) return false;
  ++waiting_;
  return true;
}

// Stops at the first that wants more than is free: nobody overtakes it.
void semaphore::hand_over() noexcept {
  while (auto* first = static_cast<awaiter*>(waiters_.front())) {
    if (first->count_ > free_) return;
    free_ -= first->count_;
    --waiting_;
    wait_list::wake(*waiters_.pop());
  }
}

void semaphore::awaiter::on_stop() noexcept {
  --semaphore_.waiting_;
  listed_wait::on_stop();
  semaphore_.hand_over();  // those behind it may want less
}

result<semaphore::permit> semaphore::awaiter::await_resume() {
  if (stopped()) return cancelled("stopped while waiting for a semaphore");
  if (count_ > semaphore_.permits_) {
    return invalid_argument("a semaphore of " + std::to_string(semaphore_.permits_) + " was asked for " +
                            std::to_string(count_));
  }
  return permit{semaphore_, count_};
}

}  // namespace weft
