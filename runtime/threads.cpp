#include <pthread.h>

#include <utility>
#include <weft/runtime/threads.hpp>

namespace weft {

std::thread start_thread(const thread_hook& hook, const char* name, std::function<void()> f) {
  return std::thread{[hook, name, f = std::move(f)]() noexcept {
    pthread_setname_np(pthread_self(), name);
    if (hook) hook(name);
    f();
  }};
}

}  // namespace weft
