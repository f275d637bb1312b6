#pragma once
#include <concepts>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <weft/runtime/call.hpp>
#include <weft/runtime/child.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft {

class service;

/// Whether a service takes the next call while a handler of its is suspended.
enum class reentrancy : std::uint8_t {
  interleaved,  ///< Yes. What a handler read before a co_await may have changed after it.
  exclusive,    ///< No: one handler at a time, in order of arrival.
};

struct service_options {
  const char* name = "service";    ///< For dumps, logs, and the text of errors; must outlive the service.
  int worker = -1;                 ///< Home worker of its own strand; -1: the one that polls I/O.
  weft::strand* strand = nullptr;  ///< Share this strand instead; it must outlive the service.
  weft::reentrancy reentrancy = weft::reentrancy::interleaved;
  std::uint32_t mailbox = 1'024;   ///< Calls that may wait; one more gets RESOURCE_EXHAUSTED.
  std::uint32_t running = 65'536;  ///< Handlers that may be in progress; further calls wait in the mailbox.
};

struct service_counters {
  std::uint64_t started = 0;    ///< Handlers started.
  std::uint64_t refused = 0;    ///< Full or stopped.
  std::uint64_t expired = 0;    ///< Deadline passed in the mailbox: never ran.
  std::uint64_t abandoned = 0;  ///< Caller went while the call was in the mailbox: never ran.
  std::uint64_t threw = 0;      ///< Handlers that ended by an exception.
};

/// A call as its service sees it: in the mailbox, then running. Base of local calls and of calls from other processes.
/// On the service's worker.
class service_call : public work {
 public:
  service_call(service& to, const char* method) noexcept;

  const char* method() const noexcept { return own_ctx_.name(); }
  context& own_context() noexcept { return own_ctx_; }

 protected:
  ~service_call() = default;

  enum class stage : std::uint8_t { mailbox, running, done };
  stage at() const noexcept { return stage_; }
  service& to() const noexcept { return to_; }

  /// Nobody waits for it any more: it is not run if it is still in the mailbox, stopped if it runs.
  void caller_gone() noexcept;

 private:
  friend service;

  void run() noexcept final;  // arrival on the service's strand
  /// Creates the handler and starts it; it ends in `service::handler_ended`.
  virtual void start_handler() noexcept = 0;
  /// The handler never ran. It is the callee's last word on this call.
  virtual void refused(status why) noexcept = 0;

  service& to_;
  context own_ctx_;
  stage stage_ = stage::mailbox;
  // A call from outside; the service's own work, which ends when it stops; or the request to stop. Only the first is limited.
  enum class kind : std::uint8_t { call, background, control };
  kind kind_ = kind::call;
  bool admitted_ = false;  // on the way in, without a further look at the limits
  bool caller_gone_ = false;
};

/// How a service stops.
enum class stop_mode : std::uint8_t {
  drain,  ///< What it has accepted is finished, new calls get UNAVAILABLE.
  abort,  ///< What waits gets UNAVAILABLE, handlers are stopped; both are awaited.
};

/// State with a strand of its own: its handlers run one at a time between two suspensions, so they need no locks.
///
/// Calls come in by `call`, `send`, generated clients, or the network; they wait in a bounded mailbox and start in order of
/// arrival. An exception that leaves a handler ends that call with UNKNOWN and is logged; the service lives on.
/// Stop it, by `stop` or `stop_and_wait`, before it is destroyed; destroying one that has calls is a misuse.
class service {
 public:
  explicit service(runtime& rt, service_options options = {});
  virtual ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  const char* name() const noexcept { return options_.name; }
  weft::strand& strand() const noexcept { return *strand_; }
  runtime& owner() const noexcept { return owner_; }
  const service_counters& counters() const noexcept { return counters_; }
  std::size_t waiting() const noexcept { return mailbox_.size(); }
  std::size_t running() const noexcept { return running_; }

  /// Runs `f` as a handler of this service: `auto n = co_await table.call([&] { return table.seats; })`. `f` may return a
  /// value, a result, or a task of one; from any strand.
  template <class F>
  auto call(F f, call_options options = {});
  /// The same, begun now on behalf of `ctx`; await the returned call later, from the same strand.
  template <class F>
  auto post(const context& ctx, F f, call_options options = {}) {
    auto c = call(std::move(f), options);
    c.begin(ctx);
    return c;
  }
  /// The same, one way. A refusal that is known at once is returned.
  template <class F>
  status send(F f, call_options options = {}) {
    return call(std::move(f), options).send();
  }

  /// Starts `f(args...)`, a coroutine, as the service's own task: it runs beside the handlers until it ends or the service
  /// stops, which stops and awaits it after the last handler. Copies what it is given. Any thread.
  template <class F, class... Args>
  void start(F f, Args... args);

  /// Ends when the last handler has ended; may be awaited from any strand but not from a handler of this service.
  /// Cancel: a stopped task stops the service and waits all the same, since the service may be destroyed afterwards.
  task<> stop(stop_mode mode = stop_mode::drain);
  /// For main(): blocks until it has stopped.
  void stop_and_wait(stop_mode mode = stop_mode::drain);

  /// Hands `c` to this service, from any thread. When the caller is on the service's worker, a refusal is returned and `c`
  /// stays the caller's; otherwise it arrives as `refused`.
  status submit(service_call& c) noexcept;

 protected:
  /// Debug builds: ends the process when the caller is not on this service's strand, naming both.
  void assert_here() const noexcept;

 private:
  friend service_call;
  template <class R>
  friend class handler_call;

  struct start_more final : work {
    explicit start_more(service& s) noexcept : to{s} {}
    void run() noexcept override { to.start_waiting(); }
    service& to;
    bool queued = false;
  };

  status admit() noexcept;
  void arrived(service_call& c) noexcept;
  void start(service_call& c) noexcept;
  void start_waiting() noexcept;
  void handler_ended(service_call& c, const std::exception_ptr& thrown) noexcept;
  void begin_stop(stop_mode mode) noexcept;
  task<> finish_stop(stop_mode mode);
  void tell_if_stopped() noexcept;
  void begin_own(service_call& c, service_call::kind k) noexcept;
  bool on_home() const noexcept;
  bool can_start() const noexcept;
  status stopped_error() const;

  runtime& owner_;
  service_options options_;
  std::unique_ptr<weft::strand> own_strand_;
  weft::strand* strand_;
  context handlers_;  // parents of the running handlers and of the service's own tasks; in the tree while there are any
  context tasks_;
  std::deque<service_call*> mailbox_;
  std::uint32_t arriving_ = 0;  // admitted on this worker, on their way through the strand's queue
  std::uint32_t running_ = 0;
  std::uint32_t own_tasks_ = 0;
  bool stopping_ = false;
  bool aborting_ = false;
  start_more start_more_{*this};
  event stopped_;
  service_counters counters_;
};

/// A service call whose handler is a coroutine that returns `reply<R>`.
template <class R>
class handler_call : public service_call, public receiver_of<result<R>> {
 protected:
  handler_call(service& to, const char* method) noexcept : service_call{to, method} { this->ctx = &own_context(); }
  ~handler_call() {
    if (handler_) handler_.destroy();
  }

  /// Creates the handler's coroutine; it may throw.
  virtual reply<R> make_handler() = 0;
  /// The handler has ended, its frame is gone, `outcome` holds what it returned.
  virtual void replied() noexcept = 0;

  /// What to tell the caller. Once.
  result<R> take_outcome() {
    if (this->outcome.has_value()) return std::move(this->outcome.value());
    return unknown_error("the handler failed");
  }

 private:
  void start_handler() noexcept final {
    try {
      handler_ = make_handler().release();
    } catch (...) {
      this->outcome.set_exception(std::current_exception());
      end();
      return;
    }
    handler_.promise().to = this;
    handler_.resume();
  }
  std::coroutine_handle<> completed() noexcept final {
    end();
    return std::noop_coroutine();
  }
  void frame_gone() noexcept final { handler_ = {}; }
  void end() noexcept {
    if (handler_) std::exchange(handler_, {}).destroy();
    to().handler_ended(*this, this->outcome.exception());
    replied();
  }

  std::coroutine_handle<task_promise<result<R>>> handler_;
};

/// A call from a task of this process. Lives on the caller's worker, is lent to the service's.
///
/// Between two workers only messages pass, and every field has one owner:
///   1. the caller submits it to the service; from then on the handler's side is the service's worker's.
///   2. the service's worker, when the handler has ended or the call was refused, submits it back (`homeward_`).
///   3. a caller that gives up before that submits `order_` to the service's worker, which stops the handler, if it still
///      runs, and submits `order_` back.
/// The caller's worker destroys it when it is back (2) and no order is out (3). So nothing is shared, and nothing is locked.
/// On one worker the messages are function calls.
template <class R>
class local_call : public call_of<R>, public handler_call<R>, timer {
 protected:
  local_call(service& to, const char* method) noexcept : handler_call<R>{to, method}, homeward_{*this}, order_{*this} {}

 private:
  struct homeward final : work {
    explicit homeward(local_call& c) noexcept : call{c} {}
    void run() noexcept override { call.came_home(); }
    local_call& call;
  };
  struct order final : work {
    explicit order(local_call& c) noexcept : call{c} {}
    void run() noexcept override {
      if (outward) {
        outward = false;
        call.caller_gone();
        call.caller_home_->submit(*this);
      } else {
        out = false;
        call.end_if_done();
      }
    }
    local_call& call;
    bool outward = false;  // whoever has the order
    bool out = false;      // the caller's
  };

  const char* name() const noexcept override { return this->method(); }
  status depart(worker& home, time_point deadline) noexcept override {
    caller_home_ = &home;
    service_home_ = &this->to().strand().home();
    this->own_context().limit_deadline(deadline);
    auto outcome = this->to().submit(*this);
    if (outcome.ok() && deadline != never) caller_home_->timers().arm(*this, deadline);
    return outcome;
  }
  void cancel() noexcept override {
    if (same_worker()) {
      this->caller_gone();
      return;
    }
    order_.out = order_.outward = true;
    service_home_->submit(order_);
  }
  bool referenced() const noexcept override { return order_.out; }
  void expired() noexcept override { this->give_up(deadline_exceeded("the call took too long")); }
  result<R> take_reply() override {
    if (!refusal_.ok()) return refusal_;
    return this->take_outcome();
  }

  void refused(status why) noexcept override {
    refusal_ = std::move(why);
    go_home();
  }
  void replied() noexcept override { go_home(); }

  void go_home() noexcept {
    if (same_worker()) {
      came_home();
    } else {
      caller_home_->submit(homeward_);
    }
  }
  void came_home() noexcept {
    timer::cancel();
    this->came_back();
  }

  bool same_worker() const noexcept { return caller_home_ == service_home_; }

  worker* caller_home_ = nullptr;
  worker* service_home_ = nullptr;  // the service itself may be gone while the reply is on its way home
  status refusal_;                  // written by the service's worker before the way home
  homeward homeward_;
  order order_;
};

namespace detail {

template <class T>
struct handler_value {
  using type = T;
};
template <>
struct handler_value<void> {
  using type = unit;
};
template <class T>
struct handler_value<result<T>> {
  using type = T;
};
template <>
struct handler_value<status> {
  using type = unit;
};
template <class T>
struct handler_value<task<T>> : handler_value<T> {};

// Runs whatever shape of function as a handler.
template <class F, class R = typename handler_value<std::invoke_result_t<F&>>::type>
reply<R> as_handler(F f) {
  using returned = std::invoke_result_t<F&>;
  if constexpr (awaitable<returned>) {
    using value = await_result_t<returned>;
    if constexpr (std::is_void_v<value>) {
      co_await f();
      co_return unit{};
    } else if constexpr (std::is_same_v<value, status>) {
      auto s = co_await f();
      if (!s.ok()) co_return s;
      co_return unit{};
    } else {
      co_return co_await f();
    }
  } else if constexpr (std::is_void_v<returned>) {
    f();
    co_return unit{};
  } else if constexpr (std::is_same_v<returned, status>) {
    auto s = f();
    if (!s.ok()) co_return s;
    co_return unit{};
  } else {
    co_return f();
  }
}

template <class F, class R = typename handler_value<std::invoke_result_t<F&>>::type>
class function_call final : public local_call<R> {
 public:
  function_call(service& to, F f) : local_call<R>{to, "function"}, function_{std::move(f)} {}

 private:
  reply<R> make_handler() override { return as_handler<F, R>(std::move(function_)); }
  F function_;
};

}  // namespace detail

template <class F, class... Args>
void service::start(F f, Args... args) {
  auto own = [f = std::move(f), ... args = std::move(args)]() mutable {
    return invoke_owned(std::move(f), std::move(args)...);
  };
  const auto queued = strand_->try_post([this, own = std::move(own)]() mutable {
    auto* operation = new detail::function_call<decltype(own)>{*this, std::move(own)};
    begin_own(*operation, service_call::kind::background);
    std::ignore = weft::call<unit>{held_call<unit>{operation}, within{duration::max()}}.send();
  });
  if (!queued.ok()) owner_.log(std::string{"service '"} + options_.name + "': start: " + queued.to_string());
}

template <class F>
auto service::call(F f, call_options options) {
  using operation = detail::function_call<F>;
  using R = typename detail::handler_value<std::invoke_result_t<F&>>::type;
  return weft::call<R>{held_call<R>{new operation{*this, std::move(f)}}, options};
}

}  // namespace weft
