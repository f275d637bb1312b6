#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <weft/runtime/event.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/result.hpp>
#include <weft/runtime/task.hpp>

namespace weft {

class io;
class strand;
class tcp_acceptor;
class tcp_connection;

/// Accepts players' connections. Made by `tcp_listen`; belongs to the worker of the strand it was made with.
///
/// Connections are accepted one at a time, when somebody asks: those that nobody asks for wait in the kernel, which
/// refuses more than its backlog. Out of file descriptors or memory it tries again every `back_off` and goes on.
/// Destroying it closes it; not while a task waits in it.
class tcp_listener {
 public:
  static constexpr auto back_off = std::chrono::milliseconds{20};

  tcp_listener(strand& home, std::shared_ptr<tcp_acceptor> acceptor, link_options options);
  ~tcp_listener();
  tcp_listener(const tcp_listener&) = delete;
  tcp_listener& operator=(const tcp_listener&) = delete;

  /// `while (auto link = co_await listener->accept())`: the next connection, as a link of `home`'s worker (without it, of
  /// the listener's strand). Null when the task is stopped, the listener was closed, or the io has stopped.
  task<std::unique_ptr<link>> accept();
  task<std::unique_ptr<link>> accept(strand& home);

  /// No more connections; who waits in `accept` gets null. Idempotent.
  void close() noexcept;
  /// `co_await listener->closed()`: ok once the socket is closed and its port free; CANCELLED when the task is stopped.
  auto closed() noexcept { return closed_.wait(); }

  /// The port it listens at, also when it was asked for port 0.
  std::uint16_t port() const noexcept { return port_; }
  /// "127.0.0.1:7000".
  const std::string& address() const noexcept { return address_; }
  /// How often it could not accept for want of file descriptors or memory.
  std::uint64_t starved() const noexcept;

 private:
  friend tcp_acceptor;
  class connection_wait;
  struct waiting;

  void arrived(std::shared_ptr<tcp_connection> connection) noexcept;
  void acceptor_closed() noexcept;
  void assert_here() const noexcept;

  strand& home_;
  const std::shared_ptr<tcp_acceptor> acceptor_;
  const link_options options_;
  const std::string address_;
  const std::uint16_t port_;
  wait_list waiters_;
  event closed_;
  std::shared_ptr<tcp_connection> spare_;  // came when nobody waited any more
  bool asked_ = false;                     // the acceptor is looking for a connection
  bool over_ = false;                      // there will be no more
};

/// Listens at "127.0.0.1:7000", "[::1]:7000", "0.0.0.0:0" (any free port) or "localhost:7000"; names are not looked up.
/// Any thread. Sockets are close-on-exec and have TCP_NODELAY. `options` are for the links it accepts.
/// Errors: INVALID_ARGUMENT (not an address), UNAVAILABLE (in use, not permitted).
result<std::unique_ptr<tcp_listener>> tcp_listen(io& where, strand& home, std::string_view address,
                                                 link_options options = {});

/// Connects to an address as above; the link belongs to `home`'s worker. Resumes on the task's strand; limit it by
/// `with_timeout`, or it lasts as long as the kernel tries (minutes).
/// Errors: INVALID_ARGUMENT (not an address), UNAVAILABLE (with address and reason), CANCELLED (the task was stopped).
task<result<std::unique_ptr<link>>> tcp_connect(io& where, strand& home, std::string address,
                                                link_options options = {});

}  // namespace weft
