#include <weft/runtime/io.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <optional>
#include <utility>
#include <weft/runtime/misuse.hpp>
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
  thread_ = start_thread(options.thread_start, "weft-io", [&s] { s.context.run(); });
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

}  // namespace weft
