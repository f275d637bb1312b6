#include <weft/rpc/completion_queue.hpp>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

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
}

std::size_t completion_queue::poll(time_point until) noexcept {
  void* tag = nullptr;
  bool ok = false;
  const auto next = [&] {
    return queue_->AsyncNext(&tag, &ok, to_timespec(until)) == grpc::CompletionQueue::GOT_EVENT;
  };
  const bool got = next() || (std::exchange(kicked_, false) && next());
  if (!got) return 0;
  WEFT_TSAN_ACQUIRE(tag);
  auto* op = static_cast<operation*>(tag);
  if (op != waker_.get()) ++counters_.ended;
  op->on_event(ok);
  return 1;
}

void completion_queue::wake() noexcept { waker_->wake(*queue_); }

// New calls stand before those that were told.
void completion_queue::cancel_new_calls() noexcept {
  for (auto* call = outgoing_; call != nullptr && !std::exchange(call->told_, true); call = call->next_) {
    call->cancel_for_shutdown();
  }
}

void completion_queue::shutdown() noexcept {
  if (shut_) return;
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
