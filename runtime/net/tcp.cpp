#include <weft/runtime/net/tcp.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>
#include <weft/runtime/io.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/net/tcp_connection.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace weft {
namespace {

result<tcp::endpoint> parse(std::string_view address) {
  const auto colon = address.rfind(':');
  const auto bad = [address] {
    return invalid_argument("'" + std::string{address} +
                            "' is no address: it has to look like 127.0.0.1:7000 or [::1]:7000");
  };
  if (colon == std::string_view::npos) return bad();
  auto host = address.substr(0, colon);
  const auto digits = address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (problem != std::errc{} || end != digits.data() + digits.size()) return bad();
  if (host == "localhost") host = "127.0.0.1";
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  error_code error;
  const auto ip = asio::ip::make_address(std::string{host}, error);
  if (error || ip.is_v6() != bracketed) return bad();
  return tcp::endpoint{ip, port};
}

std::string to_text(const tcp::endpoint& endpoint) {
  const auto ip = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + ip + "]" : ip) + ":" + std::to_string(endpoint.port());
}

error_code last_error() { return {errno, boost::system::system_category()}; }

// Asio opens sockets without close-on-exec; set later, a child started in between would inherit them.
error_code adopt(tcp::socket& socket, const tcp& protocol, int fd) {
  error_code error;
  static_cast<void>(socket.assign(protocol, fd, error));
  if (error) {
    ::close(fd);
    return error;
  }
  static_cast<void>(socket.non_blocking(true, error));
  if (!error) static_cast<void>(socket.set_option(tcp::no_delay{true}, error));
  return error;
}

int open_socket(const tcp& protocol) {
  return ::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
}

}  // namespace

/// The listening socket. Shared by the listener and the I/O thread, which accepts a connection when it is asked.
class tcp_acceptor final : public std::enable_shared_from_this<tcp_acceptor>, io_member {
 public:
  explicit tcp_acceptor(std::shared_ptr<io_core> core)
      : core_{std::move(core)}, socket_{core_->context()}, retry_{core_->context()} {}

  error_code listen(const tcp::endpoint& at) {
    const int fd = open_socket(at.protocol());
    if (fd < 0) return last_error();
    error_code error;
    static_cast<void>(socket_.assign(at.protocol(), fd, error));
    if (error) {
      ::close(fd);
      return error;
    }
    static_cast<void>(socket_.set_option(tcp::acceptor::reuse_address{true}, error));
    if (!error) static_cast<void>(socket_.bind(at, error));
    if (!error) static_cast<void>(socket_.listen(tcp::acceptor::max_listen_connections, error));
    if (!error) local_ = socket_.local_endpoint(error);
    return error;
  }

  // On the listener's worker, except where it says otherwise.
  const tcp::endpoint& local() const noexcept { return local_; }
  std::uint64_t starved() const noexcept { return starved_.load(std::memory_order_relaxed); }
  void start(tcp_listener& listener, worker& home) {  // any thread
    listener_ = &listener;
    way_.emplace(home);
    if (!start_.send(shared_from_this(), *core_)) shut();  // the io has stopped, and its thread with it
  }
  void ask() noexcept { ask_.send(shared_from_this(), *core_); }
  void close() noexcept { close_.send(shared_from_this(), *core_); }
  void release() noexcept {
    listener_ = nullptr;
    way_->shut();
  }

 private:
  // On the I/O thread.
  void on_start() noexcept {
    joined_ = core_->join(*this);
    if (!joined_) shut();
  }

  auto again() {
    return [self = shared_from_this()](const error_code&) {
      if (!self->shut_) self->try_accept();
    };
  }

  void on_ask() noexcept {
    if (!shut_) try_accept();
  }

  void try_accept() {
    while (true) {
      tcp::endpoint from;
      auto size = static_cast<socklen_t>(from.capacity());
      const int fd = ::accept4(socket_.native_handle(), from.data(), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) {
        from.resize(size);
        tcp::socket socket{core_->context()};
        if (adopt(socket, from.protocol(), fd)) continue;
        found_ = std::make_shared<tcp_connection>(core_, std::move(socket), to_text(from));
        if (!arrived_.send(shared_from_this(), *way_)) found_.reset();
        return;
      }
      switch (errno) {
        case EAGAIN: socket_.async_wait(tcp::acceptor::wait_read, again()); return;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          starved_.fetch_add(1, std::memory_order_relaxed);
          retry_.expires_after(tcp_listener::back_off);
          retry_.async_wait(again());
          return;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
        case EOPNOTSUPP: shut(); return;
        default: break;  // what became of one connection is no reason to refuse the next
      }
    }
  }

  void shut() noexcept {
    if (std::exchange(shut_, true)) return;
    error_code ignored;
    static_cast<void>(socket_.close(ignored));
    retry_.cancel();
    if (joined_) core_->leave(*this);
    closed_.send(shared_from_this(), *way_);
  }
  void io_stopping() noexcept override { shut(); }

  // On the listener's worker.
  void tell_arrived() noexcept {
    auto connection = std::exchange(found_, nullptr);
    if (listener_ != nullptr) listener_->arrived(std::move(connection));
  }
  void tell_closed() noexcept {
    if (listener_ != nullptr) listener_->acceptor_closed();
  }

  const std::shared_ptr<io_core> core_;
  tcp::endpoint local_;
  std::optional<way_home> way_;
  std::atomic<std::uint64_t> starved_{0};

  // The listener's worker's.
  tcp_listener* listener_ = nullptr;

  // The I/O thread's; `found_` until `arrived_` is sent, and again from the next `ask_` on.
  tcp::acceptor socket_;
  asio::steady_timer retry_;
  std::shared_ptr<tcp_connection> found_;
  bool joined_ = false;
  bool shut_ = false;

  note<tcp_acceptor, &tcp_acceptor::on_start> start_;
  note<tcp_acceptor, &tcp_acceptor::on_ask> ask_;
  note<tcp_acceptor, &tcp_acceptor::shut> close_;
  note<tcp_acceptor, &tcp_acceptor::tell_arrived> arrived_;
  note<tcp_acceptor, &tcp_acceptor::tell_closed> closed_;
};

result<std::unique_ptr<tcp_listener>> tcp_listen(io& where, strand& home, std::string_view address,
                                                 link_options options) {
  const auto at = parse(address);
  if (!at.ok()) return at.status();
  auto acceptor = std::make_shared<tcp_acceptor>(where.core());
  if (const auto error = acceptor->listen(*at)) {
    return unavailable("cannot listen at " + std::string{address} + ": " + error.message());
  }
  return std::make_unique<tcp_listener>(home, std::move(acceptor), options);
}

tcp_listener::tcp_listener(strand& home, std::shared_ptr<tcp_acceptor> acceptor, link_options options)
    : home_{home},
      acceptor_{std::move(acceptor)},
      options_{options},
      address_{to_text(acceptor_->local())},
      port_{acceptor_->local().port()} {
  acceptor_->start(*this, home.home());  // last: from here on it calls back, on that worker
}

tcp_listener::~tcp_listener() {
  assert_here();
  close();
  acceptor_->release();
}

void tcp_listener::assert_here() const noexcept {
  if (worker::current() != &home_.home()) {
    misuse("a tcp_listener was used or destroyed off its worker: do that in tasks of the strand it was made with");
  }
}

class tcp_listener::connection_wait final : public listed_wait {
 public:
  explicit connection_wait(tcp_listener& l) noexcept : listed_wait{"accept"}, listener_{l} {}
  bool await_ready() const noexcept { return listener_.over_; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    return begin(h, h.promise().ctx(), __builtin_return_address(0));
  }
  std::shared_ptr<tcp_connection> await_resume() noexcept { return std::move(connection_); }

 private:
  friend tcp_listener;
  bool begin(std::coroutine_handle<> h, context& ctx, void* where) noexcept {
    if (!ctx.stopped()) connection_ = std::exchange(listener_.spare_, nullptr);
    if (connection_ != nullptr || !listener_.waiters_.wait_in(*this, h, ctx, where)) return false;
    if (!std::exchange(listener_.asked_, true)) listener_.acceptor_->ask();
    return true;
  }

  tcp_listener& listener_;
  std::shared_ptr<tcp_connection> connection_;
};

task<std::unique_ptr<link>> tcp_listener::accept() { return accept(home_); }

task<std::unique_ptr<link>> tcp_listener::accept(strand& home) {
  assert_here();
  auto connection = co_await connection_wait{*this};
  if (connection == nullptr) co_return nullptr;
  co_return std::make_unique<link>(home, std::move(connection), options_);
}

void tcp_listener::arrived(std::shared_ptr<tcp_connection> connection) noexcept {
  asked_ = false;
  if (over_) return;
  if (auto* waiting = static_cast<connection_wait*>(waiters_.pop())) {
    waiting->connection_ = std::move(connection);
    wait_list::wake(*waiting);
  } else {
    spare_ = std::move(connection);
  }
  if (!waiters_.empty()) {
    asked_ = true;
    acceptor_->ask();
  }
}

void tcp_listener::acceptor_closed() noexcept {
  close();
  closed_.set();
}

void tcp_listener::close() noexcept {
  if (std::exchange(over_, true)) return;
  spare_.reset();
  acceptor_->close();
  waiters_.wake_all();
}

std::uint64_t tcp_listener::starved() const noexcept { return acceptor_->starved(); }

namespace {

class connect_wait;

/// One attempt to connect. Shared by the task that waits and the I/O thread.
class connect_attempt final : public std::enable_shared_from_this<connect_attempt>, io_member {
 public:
  connect_attempt(std::shared_ptr<io_core> core, tcp::endpoint to, worker& home)
      : core_{std::move(core)}, to_{std::move(to)}, way_{home}, socket_{core_->context()} {}

  // On the task's worker.
  bool begin(connect_wait& waiter) noexcept {
    waiter_ = &waiter;
    return begin_.send(shared_from_this(), *core_);
  }
  void abandon() noexcept {
    waiter_ = nullptr;
    way_.shut();
    abandon_.send(shared_from_this(), *core_);
  }
  // Requires: done.
  const status& outcome() const noexcept { return outcome_; }
  std::shared_ptr<tcp_connection> connection() {
    return std::make_shared<tcp_connection>(core_, std::move(socket_), to_text(to_));
  }

 private:
  // On the I/O thread.
  void connect() noexcept {
    if (over_) return;
    joined_ = core_->join(*this);
    if (!joined_) return end(unavailable("the io has stopped"));
    const int fd = open_socket(to_.protocol());
    if (fd < 0) return end(failed(last_error()));
    if (const auto error = adopt(socket_, to_.protocol(), fd)) return end(failed(error));
    socket_.async_connect(to_, [self = shared_from_this()](const error_code& error) {
      self->end(error ? self->failed(error) : status{});
    });
  }
  void on_abandon() noexcept { end(cancelled("stopped while connecting to " + to_text(to_))); }
  void io_stopping() noexcept override { end(unavailable("the io was stopped")); }

  status failed(const error_code& error) const {
    return unavailable("cannot connect to " + to_text(to_) + ": " + error.message());
  }

  void end(status outcome) noexcept {
    if (std::exchange(over_, true)) return;
    if (joined_) core_->leave(*this);
    if (!outcome.ok()) {
      error_code ignored;
      static_cast<void>(socket_.close(ignored));
    }
    outcome_ = std::move(outcome);
    done_.send(shared_from_this(), way_);  // with it all of this is the worker's
  }

  // On the worker.
  void tell_waiter() noexcept;

  const std::shared_ptr<io_core> core_;
  const tcp::endpoint to_;
  way_home way_;
  connect_wait* waiter_ = nullptr;  // the worker's

  // The I/O thread's until `done_` is sent.
  tcp::socket socket_;
  status outcome_;
  bool joined_ = false;
  bool over_ = false;

  note<connect_attempt, &connect_attempt::connect> begin_;
  note<connect_attempt, &connect_attempt::on_abandon> abandon_;
  note<connect_attempt, &connect_attempt::tell_waiter> done_;
};

class connect_wait final : public wait {
 public:
  connect_wait(std::shared_ptr<io_core> core, tcp::endpoint to) noexcept
      : wait{"connect"}, core_{std::move(core)}, to_{std::move(to)} {}
  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) {
    return begin(h, h.promise().ctx(), __builtin_return_address(0));
  }
  result<std::shared_ptr<tcp_connection>> await_resume() {
    if (!outcome_.ok()) return outcome_;
    return attempt_->connection();
  }
  void done() noexcept {
    outcome_ = attempt_->outcome();
    finish();
  }

 private:
  bool begin(std::coroutine_handle<> h, context& ctx, void* where) {
    outcome_ = cancelled("stopped while connecting to " + to_text(to_));
    if (ctx.stopped()) return false;
    attempt_ = std::make_shared<connect_attempt>(core_, to_, ctx.home().home());
    suspend(h, ctx, where);
    if (!attempt_->begin(*this)) {
      outcome_ = unavailable("cannot connect to " + to_text(to_) + ": the io has stopped");
      finish();
    }
    return true;
  }
  void on_stop() noexcept override {
    attempt_->abandon();
    finish();
  }

  const std::shared_ptr<io_core> core_;
  const tcp::endpoint to_;
  std::shared_ptr<connect_attempt> attempt_;
  status outcome_;
};

void connect_attempt::tell_waiter() noexcept {
  if (auto* w = std::exchange(waiter_, nullptr)) w->done();
}

}  // namespace

task<result<std::unique_ptr<link>>> tcp_connect(io& where, strand& home, std::string address, link_options options) {
  const auto to = parse(address);
  if (!to.ok()) co_return to.status();
  auto connection = co_await connect_wait{where.core(), *to};
  if (!connection.ok()) co_return connection.status();
  co_return std::make_unique<link>(home, std::move(*connection), options);
}

}  // namespace weft
