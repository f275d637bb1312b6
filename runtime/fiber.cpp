#include <weft/runtime/fiber.hpp>

#include <cxxabi.h>

#include <boost/context/detail/fcontext.hpp>
#include <cassert>
#include <cstring>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/here.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/worker.hpp>

#if WEFT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if WEFT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::detail {

// The bare switch of Boost.Context, since boost::context::fiber returns through frames that ThreadSanitizer counts.
namespace context_switch = boost::context::detail;

namespace {

fiber_stacks* stacks_here() noexcept {
  return on_this_thread.worker == nullptr ? nullptr : &on_this_thread.worker->stacks();
}

// The part of __cxa_eh_globals that the Itanium ABI describes.
template <class Exceptions>
void exchange_exceptions(Exceptions& ours) noexcept {
  auto* threads = abi::__cxa_get_globals();
  Exceptions saved;
  std::memcpy(&saved, static_cast<void*>(threads), sizeof saved);
  std::memcpy(static_cast<void*>(threads), &ours, sizeof ours);
  ours = saved;
}

}  // namespace

fiber_run::~fiber_run() {
  if (function_ != nullptr && !ended_) misuse("a fiber was destroyed while it waits: stop its task, and await that");
}

fiber_run& fiber_run::here() noexcept {
  auto* stacks = stacks_here();
  if (stacks == nullptr || stacks->running == nullptr) {
    misuse("weft::await outside of a fiber: co_await in a coroutine, or run the function by weft::fiber");
  }
  return *stacks->running;
}

bool fiber_run::go_on() {
  auto& stacks = *stacks_here();
  if (function_ == nullptr) {
    home_ = &stacks;
    stack_ = stacks.take();
    function_ = context_switch::make_fcontext(stack_.top(), stack_.bytes(), [](context_switch::transfer_t from) {
      auto& self = *static_cast<fiber_run*>(from.data);
      self.worker_ = from.fctx;
#if WEFT_ASAN
      __sanitizer_finish_switch_fiber(nullptr, &self.worker_bottom_, &self.worker_bytes_);
#endif
      self.body_(self.argument_);
      self.leave(true);
    });
#if WEFT_TSAN
    tsan_ = __tsan_create_fiber(0);
#endif
  }

  // Compilers keep addresses of thread_locals, so a function must not go on in another thread.
  if (home_ != &stacks) misuse("a fiber awaited resume_on another worker: await run_on, or call a service there");
  assert(stacks.running == nullptr);
  stacks.running = this;
  exchange_exceptions(exceptions_);
#if WEFT_ASAN
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, stack_.bottom(), stack_.bytes());
#endif
#if WEFT_TSAN
  worker_tsan_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(tsan_, 0);
#endif
  function_ = context_switch::jump_fcontext(function_, this).fctx;
#if WEFT_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, nullptr, nullptr);
#endif
  exchange_exceptions(exceptions_);
  stacks.running = nullptr;

  if (!ended_) return true;
#if WEFT_TSAN
  __tsan_destroy_fiber(std::exchange(tsan_, nullptr));
#endif
  stacks.give_back(std::move(stack_));
  return false;
}

void fiber_run::wait(task<> t) noexcept {
  awaited_ = std::move(t);
  leave(false);
}

void fiber_run::leave(bool for_good) noexcept {
  ended_ = for_good;
#if WEFT_ASAN
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, worker_bottom_, worker_bytes_);
#endif
#if WEFT_TSAN
  __tsan_switch_to_fiber(worker_tsan_, 0);
#endif
  worker_ = context_switch::jump_fcontext(worker_, nullptr).fctx;
#if WEFT_ASAN
  __sanitizer_finish_switch_fiber(fake_stack_, &worker_bottom_, &worker_bytes_);
#endif
}

}  // namespace weft::detail
