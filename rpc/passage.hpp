#pragma once
#include <cstddef>
#include <weft/rpc/method.hpp>
#include <weft/rpc/middleware.hpp>
#include <weft/runtime/child.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft::detail {

/// One call on its way through middleware, at either side, whatever it came by. The layers are coroutines of one task of the
/// control strand; inside of the last is the rest of the call.
///
///   1. `enter`: the task begins. A layer is begun when the one around it calls `next`, the rest when the innermost does.
///   2. `begin_rest`, once at most; `rest_ended` answers it, once, perhaps beneath it.
///   3. `passed`, once: the task has ended, and the rest, if it was begun.
/// `stop` gives the rest up and stops the task; it passes all the same, with the reason for stopping. On the polling worker.
class passage : child<status>, timer {
 public:
  /// The rest has ended. Not before it began.
  void rest_ended(status outcome) noexcept;
  /// The client has gone, or gave up. The first reason holds; none does after it has passed.
  void stop(status why) noexcept;
  bool over() const noexcept { return over_; }

  /// Layer `n` and what is inside of it.
  task<status> from(std::size_t n);

 protected:
  passage(strand& control, const method_info& method, std::size_t layers) noexcept;
  ~passage() = default;

  void enter(time_point deadline) noexcept;
  context& task_context() noexcept { return own_context(); }

 private:
  class rest;

  virtual task<status> layer(std::size_t n, rest_of_call next) = 0;
  /// `caller` is the task that waits.
  virtual void begin_rest(const context& caller) noexcept = 0;
  /// It was begun and has not ended. May come again.
  virtual void give_up_rest(const status& why) noexcept = 0;
  /// May destroy *this.
  virtual void passed(status outcome) noexcept = 0;

  status look_at(std::size_t n, status returned);
  status fault(std::size_t n, const char* what);
  void report(const std::string& what) noexcept;
  void ended() noexcept override;
  void expired() noexcept override;

  const method_info& method_;
  const std::size_t layers_;
  strand& control_;
  context outer_;           // a task with a parent cannot move to another strand
  std::size_t begun_ = 0;   // layers, and then the rest
  status fault_;            // what a layer did wrong, which the call ends with
  status why_;              // it was stopped
  status outcome_;          // of the rest
  bool inside_ok_ = false;  // what the last layer to end, or the rest, came to
  rest* waiting_ = nullptr;
  bool rest_out_ = false;
  bool over_ = false;
};

}  // namespace weft::detail
