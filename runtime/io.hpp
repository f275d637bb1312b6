#pragma once
#include <cstddef>
#include <memory>
#include <thread>
#include <weft/runtime/inbox.hpp>
#include <weft/runtime/threads.hpp>

namespace boost::asio {
class io_context;
}

namespace weft {

/// Something of an io's that has to end before the io does: a socket, a listener. On the I/O thread.
class io_member {
 public:
  io_member() = default;
  io_member(const io_member&) = delete;
  io_member& operator=(const io_member&) = delete;

 protected:
  ~io_member() = default;

 private:
  friend class io_core;
  /// The io stops: end soon, then `leave`.
  virtual void io_stopping() noexcept = 0;

  io_member* next_ = nullptr;
  io_member* previous_ = nullptr;
};

/// What sockets hold of their io: it lasts until the last of them is gone, so that they may outlive the io.
class io_core {
 public:
  io_core();
  ~io_core();
  io_core(const io_core&) = delete;
  io_core& operator=(const io_core&) = delete;

  /// Runs `w` on the I/O thread, in the order of submission; any thread, allocates only to wake. False once the io has
  /// stopped: `w` stays the caller's.
  bool submit(work& w) noexcept;
  boost::asio::io_context& context() noexcept;

  /// On the I/O thread. False when the io is stopping: end at once. A member has to be kept alive until it leaves.
  bool join(io_member& m) noexcept;
  void leave(io_member& m) noexcept;

 private:
  friend class io;
  struct state;  // what needs Asio

  void drain() noexcept;
  void begin_stop() noexcept;
  void end_stop() noexcept;

  inbox inbox_;
  io_member* members_ = nullptr;  // the I/O thread's
  bool stopping_ = false;         // the I/O thread's
  std::unique_ptr<state> state_;
};

struct io_options {
  /// False: no thread; the program calls `poll`, or runs `context()` on one thread of its own.
  bool thread = true;
  /// Called on that thread when it starts.
  thread_hook thread_start{};
};

/// Where sockets are read and written: a Boost.Asio io_context and a thread that runs it. User code does not run there;
/// what happens is posted to the workers that it concerns, once for all the frames of a read.
class io {
 public:
  explicit io(io_options options = {});
  /// `stop`.
  ~io();
  io(const io&) = delete;
  io& operator=(const io&) = delete;

  /// Closes all sockets and waits until they are closed and the thread has ended: at most about a second, for links that
  /// were closed and still flush; links that are open end with UNAVAILABLE. Not on a worker. Idempotent.
  /// Handlers of the program's own in `context()` have to end too.
  void stop() noexcept;

  /// Without a thread: runs what is ready, does not wait. Returns how much it ran. Always on the same thread.
  std::size_t poll();

  /// For the program's own sockets. Requires <boost/asio/io_context.hpp>; it may be run by one thread only.
  boost::asio::io_context& context() noexcept { return core_->context(); }
  const std::shared_ptr<io_core>& core() const noexcept { return core_; }

 private:
  std::shared_ptr<io_core> core_;
  std::thread thread_;
  bool stopped_ = false;
};

}  // namespace weft
