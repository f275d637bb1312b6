#include <weft/runtime/io.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <optional>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/net/way_home.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace asio = boost::asio;

namespace weft {

struct io_core::state {
  struct stop_order final : work {
    explicit stop_order(io_core& c) noexcept : core{c} {}
    void run() noexcept override { core.begin_stop(); }
    io_core& core;
  };

  explicit state(io_core& c) : stop{c} {}

  asio::io_context context{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> running;  // keeps `run` from returning
  stop_order stop;
};

// The inbox is "asleep" whenever no drain is under way: whoever pushes into it then posts the next one.
io_core::io_core() : state_{std::make_unique<state>(*this)} { inbox_.try_sleep(); }

io_core::~io_core() = default;

asio::io_context& io_core::context() noexcept { return state_->context; }

bool io_core::submit(work& w) noexcept {
  switch (inbox_.push(w)) {
    case inbox::pushed::queued: return true;
    case inbox::pushed::must_wake: asio::post(state_->context, [this] { drain(); }); return true;
    case inbox::pushed::refused: break;
  }
  return false;
}

void io_core::drain() noexcept {
  for (auto* list = inbox_.take_all(); list != nullptr;) {
    auto& w = *list;
    list = w.next;
    w.run();
  }
  // Sockets get their turn before what was submitted meanwhile.
  if (!inbox_.try_sleep()) asio::post(state_->context, [this] { drain(); });
}

bool io_core::join(io_member& m) noexcept {
  if (stopping_) return false;
  m.next_ = members_;
  m.previous_ = nullptr;
  if (members_ != nullptr) members_->previous_ = &m;
  members_ = &m;
  return true;
}

void io_core::leave(io_member& m) noexcept {
  (m.previous_ != nullptr ? m.previous_->next_ : members_) = m.next_;
  if (m.next_ != nullptr) m.next_->previous_ = m.previous_;
}

void io_core::begin_stop() noexcept {
  stopping_ = true;
  for (auto* m = members_; m != nullptr;) {
    auto& member = *m;
    m = m->next_;  // the member may leave at once
    member.io_stopping();
  }
  state_->running.reset();
}

// Nobody runs the context any more: what was submitted too late runs here, and finds the io stopping.
void io_core::end_stop() noexcept {
  for (auto* list = inbox_.close(); list != nullptr;) {
    auto& w = *list;
    list = w.next;
    w.run();
  }
}

io::io(io_options options) : core_{std::make_shared<io_core>()} {
  if (!options.thread) return;
  auto& s = *core_->state_;
  s.running.emplace(s.context.get_executor());
  thread_ = std::thread{[&s]() noexcept { s.context.run(); }};
}

io::~io() { stop(); }

// 1. On the I/O thread `begin_stop` tells every member to end; who comes later is not let in.
// 2. `run` returns when no handler is outstanding, that is when the last socket is closed.
// 3. With the thread gone the inbox is closed; from here on `submit` refuses.
void io::stop() noexcept {
  if (stopped_) return;
  if (worker::current() != nullptr) {
    misuse("io::stop (or ~io) was called on a worker, which it would block: call it on the thread that made the io");
  }
  stopped_ = true;
  core_->submit(core_->state_->stop);
  if (thread_.joinable()) {
    thread_.join();
  } else {
    core_->context().restart();
    core_->context().run();
  }
  core_->end_stop();
}

std::size_t io::poll() {
  auto& context = core_->context();
  if (context.stopped()) context.restart();  // it stops whenever nothing is left to do
  return context.poll();
}

namespace {

class signal_wait;

/// Shared by the task that waits and the I/O thread.
class signal_watch final : public std::enable_shared_from_this<signal_watch>, io_member {
 public:
  signal_watch(std::shared_ptr<io_core> core, signal_list signals, worker& home)
      : core_{std::move(core)}, signals_{signals}, way_{home}, set_{core_->context()} {}

  // On the worker.
  bool begin(signal_wait& waiter) noexcept {
    waiter_ = &waiter;
    return begin_.send(shared_from_this(), *core_);
  }
  void abandon() noexcept {
    waiter_ = nullptr;
    way_.shut();
    abandon_.send(shared_from_this(), *core_);
  }

 private:
  // On the I/O thread.
  void watch() noexcept {
    boost::system::error_code error;
    if (!core_->join(*this)) return report(0);
    joined_ = true;
    for (const int s : signals_) {
      if (!error) static_cast<void>(set_.add(s, error));
    }
    if (error) return report(0);
    set_.async_wait([self = shared_from_this()](const auto& e, int number) { self->report(e ? 0 : number); });
  }
  void cancel() noexcept { report(0); }
  void io_stopping() noexcept override { report(0); }

  void report(int number) noexcept {
    boost::system::error_code ignored;
    static_cast<void>(set_.clear(ignored));
    static_cast<void>(set_.cancel(ignored));
    if (std::exchange(joined_, false)) core_->leave(*this);
    if (std::exchange(reported_, true)) return;
    number_ = number;
    caught_.send(shared_from_this(), way_);
  }

  // On the worker.
  void tell_waiter() noexcept;

  const std::shared_ptr<io_core> core_;
  const signal_list signals_;
  way_home way_;
  signal_wait* waiter_ = nullptr;  // the worker's
  asio::signal_set set_;           // the I/O thread's, and the rest too
  bool joined_ = false;
  bool reported_ = false;
  int number_ = 0;  // the I/O thread's until `caught_` is sent

  note<signal_watch, &signal_watch::watch> begin_;
  note<signal_watch, &signal_watch::cancel> abandon_;
  note<signal_watch, &signal_watch::tell_waiter> caught_;
};

class signal_wait final : public wait {
 public:
  signal_wait(io& where, signal_list signals) noexcept : wait{"signal"}, core_{where.core()}, signals_{signals} {}
  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) {
    return begin(h, h.promise().ctx(), __builtin_return_address(0));
  }
  int await_resume() const noexcept { return number_; }
  void caught(int number) noexcept {
    number_ = number;
    finish();
  }

 private:
  bool begin(std::coroutine_handle<> h, context& ctx, void* where) {
    if (ctx.stopped()) return false;
    watch_ = std::make_shared<signal_watch>(std::move(core_), signals_, ctx.home().home());
    suspend(h, ctx, where);
    if (!watch_->begin(*this)) finish();
    return true;
  }
  void on_stop() noexcept override {
    watch_->abandon();
    finish();
  }

  std::shared_ptr<io_core> core_;
  signal_list signals_;
  std::shared_ptr<signal_watch> watch_;
  int number_ = 0;
};

void signal_watch::tell_waiter() noexcept {
  if (auto* w = std::exchange(waiter_, nullptr)) w->caught(number_);
}

}  // namespace

task<int> wait_for_signal(io& where, signal_list signals) { co_return co_await signal_wait{where, signals}; }

}  // namespace weft
