#include <doctest/doctest.h>
#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <initializer_list>
#include <utility>
#include <vector>
#include <weft/rpc/completion_queue.hpp>
#include <weft/rpc/process_setup.hpp>

namespace {

// As a runtime does it, which these queues have none of.
[[maybe_unused]] const bool set_up = (weft::process_setup(), true);

class call final : public weft::outgoing_call {
 public:
  int cancelled = 0;

 private:
  void cancel_for_shutdown() noexcept override { ++cancelled; }
};

// Comes back at once when it is cancelled, and others with it.
class takes_along final : public weft::outgoing_call {
 public:
  takes_along(weft::completion_queue& queue, std::vector<takes_along*> others)
      : queue_{queue}, others_{std::move(others)} {}
  int cancelled = 0;

 private:
  void cancel_for_shutdown() noexcept override {
    ++cancelled;
    queue_.came_back(*this);
    for (auto* o : others_) queue_.came_back(*o);
  }

  weft::completion_queue& queue_;
  const std::vector<takes_along*> others_;
};

// Begins another call once its own is over.
class chain final : public weft::operation, public weft::outgoing_call {
 public:
  chain(weft::completion_queue& queue, chain* next) : queue_{queue}, next_{next} {}

  void begin() {
    tag_ = queue_.begin(*this);
    REQUIRE(tag_ != nullptr);
    queue_.went_out(*this);
  }
  void on_event(bool) noexcept override {
    queue_.came_back(*this);
    if (next_ != nullptr) next_->begin();
  }
  int cancelled = 0;

 private:
  // As gRPC has it: what is cancelled comes back later, by the queue.
  void cancel_for_shutdown() noexcept override {
    ++cancelled;
    alarm_.Set(&queue_.queue(), gpr_inf_past(GPR_CLOCK_MONOTONIC), tag_);
  }

  weft::completion_queue& queue_;
  chain* next_;
  void* tag_ = nullptr;
  grpc::Alarm alarm_;
};

}  // namespace

TEST_SUITE("completion_queue") {
  TEST_CASE("what is out when the queue ends is cancelled once, whatever went and came before, in any order") {
    weft::completion_queue queue;
    call often, stays, goes;
    queue.went_out(often);
    queue.went_out(stays);
    queue.went_out(goes);
    queue.came_back(often);
    queue.went_out(often);
    queue.came_back(often);
    queue.came_back(goes);
    queue.went_out(often);
    CHECK(queue.counters().calls == 2);
    queue.shutdown();
    CHECK(often.cancelled == 1);
    CHECK(stays.cancelled == 1);
    CHECK(goes.cancelled == 0);
  }

  TEST_CASE("a call that is told of the end may take others along") {
    weft::completion_queue queue;
    call last;
    takes_along second{queue, {}}, first{queue, {}}, third{queue, {&second, &first}};
    queue.went_out(last);
    for (weft::outgoing_call* c : std::initializer_list<weft::outgoing_call*>{&first, &second, &third})
      queue.went_out(*c);
    queue.shutdown();
    CHECK(third.cancelled == 1);
    CHECK(second.cancelled + first.cancelled == 0);
    CHECK(last.cancelled == 1);
  }

  TEST_CASE("a call that begins while the queue ends is cancelled too") {
    weft::completion_queue queue;
    chain third{queue, nullptr}, second{queue, &third}, first{queue, &second};
    first.begin();
    queue.shutdown();
    CHECK(first.cancelled == 1);
    CHECK(second.cancelled == 1);
    CHECK(third.cancelled == 1);
    CHECK(queue.counters().started == queue.counters().ended);
    CHECK(queue.begin(first) == nullptr);
  }
}
