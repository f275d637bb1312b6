#include <weft/runtime/signals.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/net/way_home.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace asio = boost::asio;

namespace weft {
namespace {

class signal_wait;

}  // namespace

/// Shared by a `signals`, the tasks that wait in it, and the I/O thread.
///
/// 1. A wait is in `waiters_`, or it has got its number and its note is on the way to its worker; the lock decides.
/// 2. Stop takes it out of `waiters_`. If it is not there, its note comes: the signal is not lost.
/// 3. The I/O thread sends notes under the lock, and a note takes the lock once before the task goes on: the worker that
///    the I/O thread is waking cannot be gone before it has done so.
class signal_watch final : public std::enable_shared_from_this<signal_watch>, io_member {
 public:
  signal_watch(std::shared_ptr<io_core> core, signal_list which) : core_{std::move(core)}, set_{core_->context()} {
    boost::system::error_code error;
    for (const int s : which) {
      if (!error) static_cast<void>(set_.add(s, error));
    }
    if (!error) return;
    boost::system::error_code ignored;
    static_cast<void>(set_.clear(ignored));
    over_ = true;
  }

  void begin() noexcept {
    if (!over_ && !begin_.send(shared_from_this(), *core_)) over_ = true;  // nobody else knows of it then
  }
  void close() noexcept {
    if (std::lock_guard lock{mutex_}; !waiters_.empty()) {
      misuse("signals were destroyed while a task waits for one: end the task first");
    }
    close_.send(shared_from_this(), *core_);
  }

  // On the worker of the task that waits.
  std::optional<int> take_or_wait(signal_wait& w) {
    std::lock_guard lock{mutex_};
    if (!kept_.empty()) {
      const int number = kept_.front();
      kept_.pop_front();
      return number;
    }
    if (over_) return 0;
    waiters_.push_back(&w);
    return std::nullopt;
  }
  // False when its note is on the way.
  bool forget(signal_wait& w) noexcept {
    std::lock_guard lock{mutex_};
    return std::erase(waiters_, &w) != 0;
  }
  void pass_lock() noexcept { std::lock_guard lock{mutex_}; }

 private:
  // On the I/O thread.
  void watch() noexcept {
    joined_ = core_->join(*this);
    if (joined_) return listen();
    end();
  }
  void listen() {
    set_.async_wait([self = shared_from_this()](const auto& error, int number) {
      if (error) return;
      self->caught(number);
      self->listen();
    });
  }
  void caught(int number);
  void io_stopping() noexcept override { end(); }  // the signals stay caught: the set is as it was
  void end() noexcept;
  void forget_signals() noexcept {
    boost::system::error_code ignored;
    static_cast<void>(set_.clear(ignored));
    end();
  }

  const std::shared_ptr<io_core> core_;
  asio::signal_set set_;  // the I/O thread's once `begin_` is sent
  bool joined_ = false;   // the I/O thread's

  std::mutex mutex_;
  bool over_ = false;
  std::deque<int> kept_;
  std::deque<signal_wait*> waiters_;

  note<signal_watch, &signal_watch::watch> begin_;
  note<signal_watch, &signal_watch::forget_signals> close_;
};

namespace {

class signal_wait final : public wait {
 public:
  explicit signal_wait(signal_watch& w) noexcept : wait{"signal"}, watch_{w}, arrival_{*this} {}
  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) {
    return begin(h, h.promise().ctx(), __builtin_return_address(0));
  }
  int await_resume() const noexcept { return number_; }

  // On the I/O thread, once. False when the worker is gone.
  bool tell(int number) noexcept {
    number_ = number;
    return home_->submit(arrival_);
  }

 private:
  struct arrival final : work {
    explicit arrival(signal_wait& w) noexcept : waiter{w} {}
    void run() noexcept override { waiter.arrived(); }
    signal_wait& waiter;
  };

  bool begin(std::coroutine_handle<> h, context& ctx, void* where) {
    if (ctx.stopped()) return false;
    home_ = &ctx.home().home();
    if (const auto number = watch_.take_or_wait(*this)) {
      number_ = *number;
      return false;
    }
    suspend(h, ctx, where);  // its note runs on this worker, so not before
    return true;
  }
  void arrived() noexcept {
    watch_.pass_lock();
    finish();
  }
  void on_stop() noexcept override {
    if (watch_.forget(*this)) finish();
  }

  signal_watch& watch_;
  worker* home_ = nullptr;
  arrival arrival_;
  int number_ = 0;
};

}  // namespace

void signal_watch::caught(int number) {
  std::lock_guard lock{mutex_};
  while (!waiters_.empty()) {
    auto& first = *waiters_.front();
    waiters_.pop_front();
    if (first.tell(number)) return;
  }
  kept_.push_back(number);
}

void signal_watch::end() noexcept {
  boost::system::error_code ignored;
  static_cast<void>(set_.cancel(ignored));
  if (std::exchange(joined_, false)) core_->leave(*this);
  std::lock_guard lock{mutex_};
  over_ = true;
  for (auto* w : std::exchange(waiters_, {})) w->tell(0);
}

signals::signals(io& where, signal_list which) : watch_{std::make_shared<signal_watch>(where.core(), which)} {
  watch_->begin();
}

signals::~signals() { watch_->close(); }

task<int> signals::next() { co_return co_await signal_wait{*watch_}; }

}  // namespace weft
