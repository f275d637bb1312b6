#include <weft/runtime/callback.hpp>

#include <string>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {
namespace {

std::string to_string(const callback_name& n) {
  return n.step == 0 ? std::string{n.what} : std::string{n.what} + ", step " + std::to_string(n.step);
}

}  // namespace

bool callback_state::begin_call() {
  if (worker::current() != &home_) {
    misuse("a callback was invoked off the worker of the task that waits for it: post to its strand first");
  }
  if (!std::exchange(called_, true)) return true;
  home_.owner().log(severity::error, to_string(name_) + ": the callback was invoked again; the first outcome stands");
  return false;
}

void callback_state::end_call() noexcept {
  settled_ = true;
  if (auto* w = std::exchange(waiter_, nullptr)) w->finish();
}

void callback_state::drop_callback() noexcept {
  if (--callbacks_ != 0) return;
  if (!awaited_) {
    delete this;
  } else if (!called_) {
    set_error(internal_error(to_string(name_) + ": the callback was dropped without having been invoked"));
    end_call();
  }
}

void callback_state::let_go() noexcept {
  awaited_ = false;
  if (callbacks_ == 0) delete this;
}

bool callback_wait::begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept {
  if (ctx.stopped()) return false;
  suspend(h, ctx, where);
  state_.waiter_ = this;
  return true;
}

void callback_wait::on_stop() noexcept {
  state_.waiter_ = nullptr;
  finish();
}

}  // namespace weft::detail
