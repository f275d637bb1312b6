#include <weft/rpc/detail/channel.hpp>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <utility>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/convert.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/run_on.hpp>

namespace weft {
namespace {

using detail::channel;

// A watch cannot be called off, so each is short: who is stopped waits for its end.
constexpr auto one_watch = std::chrono::milliseconds{20};

// Waits until the state is another one, or for `one_watch`. On the polling worker, whose queue drives the connection on
// while it is watched; not at all when that is shut.
class state_change final : wait, operation {
 public:
  state_change(completion_queue& queue, grpc::Channel& of, grpc_connectivity_state known) noexcept
      : wait{"peer::connect"}, queue_{queue}, channel_{of}, known_{known} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    void* tag = queue_.begin(*this);
    if (tag == nullptr) return false;
    suspend(h, h.promise().ctx(), __builtin_return_address(0));
    channel_.NotifyOnStateChange(known_, to_timespec(std::chrono::steady_clock::now() + one_watch), &queue_.queue(),
                                 tag);
    return true;
  }
  void await_resume() const noexcept {}

 private:
  void on_event(bool) noexcept override { finish(); }
  void on_stop() noexcept override {}

  completion_queue& queue_;
  grpc::Channel& channel_;
  const grpc_connectivity_state known_;
};

task<status> connect_here(std::shared_ptr<channel> to) {
  const auto& ctx = co_await current();
  auto& queue = to->owner().queue();
  for (auto& one : to->connections()) {
    for (;;) {
      const auto known = one.grpc().GetState(/*try_to_connect=*/true);
      if (known == GRPC_CHANNEL_READY) break;
      if (ctx.stopped()) co_return cancelled("stopped while connecting to " + to->address());
      if (queue.shut()) co_return unavailable("the runtime has ended");
      co_await state_change{queue, one.grpc(), known};
    }
  }
  co_return status{};
}

task<status> connect_from_anywhere(std::shared_ptr<channel> to) {
  if (!to->problem().ok()) co_return to->problem();
  auto& there = to->owner().control();
  co_return co_await run_on(there, &connect_here, std::move(to));
}

connectivity from_grpc(grpc_connectivity_state s) noexcept {
  switch (s) {
    case GRPC_CHANNEL_IDLE: return connectivity::idle;
    case GRPC_CHANNEL_CONNECTING: return connectivity::connecting;
    case GRPC_CHANNEL_READY: return connectivity::ready;
    case GRPC_CHANNEL_TRANSIENT_FAILURE:
    case GRPC_CHANNEL_SHUTDOWN: break;
  }
  return connectivity::failing;
}

// How far it is from being ready.
int distance(connectivity c) noexcept {
  switch (c) {
    case connectivity::ready: return 0;
    case connectivity::connecting: return 1;
    case connectivity::idle: return 2;
    case connectivity::failing: break;
  }
  return 3;
}

}  // namespace

std::string_view to_string(connectivity c) noexcept {
  switch (c) {
    case connectivity::idle: return "idle";
    case connectivity::connecting: return "connecting";
    case connectivity::ready: return "ready";
    case connectivity::failing: break;
  }
  return "failing";
}

connectivity peer::connectivity() const {
  if (!problem().ok()) return weft::connectivity::failing;
  auto worst = weft::connectivity::ready;
  for (auto& one : channel_->connections()) {
    const auto state = from_grpc(one.grpc().GetState(/*try_to_connect=*/false));
    if (distance(state) > distance(worst)) worst = state;
  }
  return worst;
}

task<status> peer::connect() const { return connect_from_anywhere(channel_); }

}  // namespace weft
