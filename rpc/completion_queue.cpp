#include <weft/rpc/completion_queue.hpp>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <thread>
#include <utility>
#include <weft/rpc/convert.hpp>
#include <weft/rpc/detail/open_channels.hpp>
#include <weft/runtime/config.hpp>

namespace weft {
// Any thread sets the alarm, at most one setting is out: `pending_`, under the lock, from Set to the tag's arrival.
class completion_queue::waker final : public operation {
 public:
  explicit waker(completion_queue& woken) noexcept : woken_{woken} {}
  void wake(grpc::CompletionQueue& queue) noexcept {
    std::lock_guard lock{mutex_};
    if (closed_ || pending_) return;
    pending_ = true;
    WEFT_TSAN_RELEASE(this);
    alarm_.Set(&queue, gpr_inf_past(GPR_CLOCK_MONOTONIC), static_cast<operation*>(this));
  }
  void on_event(bool) noexcept override {
    {
      std::lock_guard lock{mutex_};
      pending_ = false;
    }
    woken_.channels_->watch_those_that_left();
  }
  /// No alarm is set from now on; true when one is still out.
  bool close() noexcept {
    std::lock_guard lock{mutex_};
    closed_ = true;
    return pending_;
  }
  bool pending() noexcept {
    std::lock_guard lock{mutex_};
    return pending_;
  }

 private:
  completion_queue& woken_;
  std::mutex mutex_;
  bool pending_ = false;
  bool closed_ = false;
  grpc::Alarm alarm_;
};

// Waits in gRPC's queue while nobody pumps. `state_` is the whole protocol:
//   held      the pump polls; the thread waits for `watching`
//   watching  the thread is in Next; the pump keeps off
//   caught    the thread has an event for the pump, in `tag_` and `ok_`, and waits
//   ended     it leaves; an event that it still got is in `tag_`
// The pump moves it from held to watching, from caught to held, and to ended; the thread from watching to caught.
class completion_queue::waiter {
 public:
  waiter(grpc::CompletionQueue& queue, const thread_hook& hook, std::function<void()> ready)
      : queue_{queue}, ready_{std::move(ready)}, thread_{start_thread(hook, "weft-waiter", [this] { run(); })} {}

  void watch() noexcept {
    auto expected = held;
    if (state_.compare_exchange_strong(expected, watching)) state_.notify_one();
  }
  bool watches() const noexcept { return state_.load() == watching; }
  /// What it caught: once. Only when it does not watch.
  bool take(void*& tag, bool& ok) noexcept {
    if (tag_ == nullptr) return false;
    tag = std::exchange(tag_, nullptr);
    ok = ok_;
    auto expected = caught;
    state_.compare_exchange_strong(expected, held);
    return true;
  }
  void end(waker& wake) noexcept {
    if (!thread_.joinable()) return;
    const auto before = state_.exchange(ended);
    state_.notify_one();
    if (before == watching) wake.wake(queue_);
    thread_.join();
  }

 private:
  enum state : std::uint8_t { held, watching, caught, ended };

  void run() noexcept {
    for (;;) {
      auto now = state_.load();
      while (now == held || now == caught) {
        state_.wait(now);
        now = state_.load();
      }
      if (now == ended) return;
      void* tag = nullptr;
      bool ok = false;
      if (!queue_.Next(&tag, &ok)) return;
      WEFT_TSAN_ACQUIRE(tag);
      ok_ = ok;
      tag_ = tag;
      auto expected = watching;
      if (!state_.compare_exchange_strong(expected, caught)) return;
      ready_();
    }
  }

  grpc::CompletionQueue& queue_;
  const std::function<void()> ready_;
  std::atomic<state> state_{held};
  void* tag_ = nullptr;
  bool ok_ = false;
  std::thread thread_;
};

completion_queue::completion_queue()
    : builder_{std::make_unique<grpc::ServerBuilder>()},
      queue_{builder_->AddCompletionQueue()},
      waker_{std::make_unique<waker>(*this)},
      channels_{std::make_shared<detail::open_channels>(*this)} {}

completion_queue::~completion_queue() {
  if (!shut_) shutdown();
}

void* completion_queue::begin(operation& op) noexcept {
  if (shut_) return nullptr;
  ++counters_.started;
  WEFT_TSAN_RELEASE(&op);
  return &op;
}

void completion_queue::went_out(outgoing_call& call) noexcept {
  ++counters_.calls;
  call.told_ = false;
  call.previous_ = nullptr;  // it may have been out before
  call.next_ = outgoing_;
  if (outgoing_ != nullptr) outgoing_->previous_ = &call;
  outgoing_ = &call;
}

void completion_queue::came_back(outgoing_call& call) noexcept {
  --counters_.calls;
  (call.previous_ != nullptr ? call.previous_->next_ : outgoing_) = call.next_;
  if (call.next_ != nullptr) call.next_->previous_ = call.previous_;
  if (next_told_ == &call) next_told_ = call.next_;
}

void completion_queue::prepare_watch(const thread_hook& hook, std::function<void()> ready) {
  waiter_ = std::make_unique<waiter>(*queue_, hook, std::move(ready));
}

void completion_queue::watch() noexcept { waiter_->watch(); }

bool completion_queue::next_event(time_point until, void*& tag, bool& ok) noexcept {
  if (waiter_ && (waiter_->watches() || waiter_->take(tag, ok))) return tag != nullptr;
  const auto next = [&] {
    return queue_->AsyncNext(&tag, &ok, to_timespec(until)) == grpc::CompletionQueue::GOT_EVENT;
  };
  return next() || (std::exchange(kicked_, false) && next());
}

std::size_t completion_queue::poll(time_point until) noexcept {
  void* tag = nullptr;
  bool ok = false;
  if (!next_event(until, tag, ok)) return 0;
  WEFT_TSAN_ACQUIRE(tag);
  auto* op = static_cast<operation*>(tag);
  if (op != waker_.get()) ++counters_.ended;
  op->on_event(ok);
  return 1;
}

void completion_queue::wake() noexcept { waker_->wake(*queue_); }

// New calls stand before those that were told.
void completion_queue::cancel_new_calls() noexcept {
  while (outgoing_ != nullptr && !outgoing_->told_) {
    next_told_ = outgoing_;
    while (next_told_ != nullptr && !std::exchange(next_told_->told_, true)) {
      auto& call = *std::exchange(next_told_, next_told_->next_);
      call.cancel_for_shutdown();
    }
  }
  next_told_ = nullptr;
}

void completion_queue::shutdown() noexcept {
  if (shut_) return;
  ending_ = true;
  if (waiter_) waiter_->end(*waker_);
  cancel_new_calls();
  channels_->close();
  while (counters_.started != counters_.ended) {
    poll(never);
    cancel_new_calls();
  }
  waker_->close();
  while (waker_->pending()) poll(never);
  shut_ = true;
  queue_->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
  }
}

}  // namespace weft
