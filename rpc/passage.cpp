#include <weft/rpc/passage.hpp>

#include <coroutine>
#include <exception>
#include <string>
#include <utility>
#include <weft/runtime/config.hpp>
#include <weft/runtime/log.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

task<status> rest_of_call::operator()() const { return passage_->from(layer_); }

namespace detail {

// Waits for the rest of the call; begins it.
class passage::rest final : wait {
 public:
  explicit rest(passage& p) noexcept : wait{p.method_.path}, passage_{p} {}

  bool await_ready() const noexcept { return false; }
  template <task_promise_type P>
  WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
    auto& ctx = h.promise().ctx();
    if (!begin(ctx)) return false;
    suspend(h, ctx, __builtin_return_address(0));
    passage_.waiting_ = this;
    return true;
  }
  status await_resume() const { return passage_.outcome_; }
  void ended() noexcept { finish(); }

 private:
  bool begin(const context& ctx) noexcept {
    auto& p = passage_;
    if (&ctx.home() != &p.control_) misuse("middleware awaited the rest of its call on another strand than its own");
    if (!p.why_.ok()) {
      p.outcome_ = p.why_;
    } else if (ctx.stopped()) {
      p.outcome_ = cancelled("the middleware was stopped");
    } else {
      p.rest_out_ = true;
      p.begin_rest(ctx);
    }
    return p.rest_out_;
  }
  // It ends when the rest has.
  void on_stop() noexcept override {
    passage_.give_up_rest(passage_.why_.ok() ? cancelled("the middleware was stopped") : passage_.why_);
  }

  passage& passage_;
};

passage::passage(strand& control, const method_info& method, std::size_t layers) noexcept
    : child<status>{control, nullptr, "middleware"},
      method_{method},
      layers_{layers},
      control_{control},
      outer_{control, nullptr, method.path} {
  own_context().become_child_of(outer_);
}

void passage::enter(time_point deadline) noexcept {
  outer_.enter();
  own_context().limit_deadline(deadline);
  if (deadline != never) control_.home().timers().arm(*this, deadline);
  start(from(0));
}

void passage::rest_ended(status outcome) noexcept {
  rest_out_ = false;
  outcome_ = outcome.ok() || why_.ok() ? std::move(outcome) : why_;  // what it was given up for says more
  if (auto* w = std::exchange(waiting_, nullptr)) w->ended();
}

void passage::stop(status why) noexcept {
  if (over_ || !why_.ok()) return;
  why_ = std::move(why);
  if (rest_out_) give_up_rest(why_);
  own_context().stop();
}

void passage::expired() noexcept { stop(deadline_exceeded(std::string{method_.path} + " took too long")); }

task<status> passage::from(std::size_t n) {
  if (begun_ > n) co_return fault(n - 1, "called the rest of the call twice");
  begun_ = n + 1;
  status s;
  if (n == layers_) {
    s = co_await rest{*this};
    inside_ok_ = s.ok();
    co_return s;
  }
  try {
    s = co_await layer(n, rest_of_call{*this, n + 1});
  } catch (const std::exception& e) {
    s = unknown_error("the middleware failed");
    report(std::string{"an exception escaped from the middleware: "} + e.what());
  } catch (...) {
    s = unknown_error("the middleware failed");
    report("an exception escaped from the middleware: not a std::exception");
  }
  s = look_at(n, std::move(s));
  inside_ok_ = s.ok();
  co_return s;
}

status passage::look_at(std::size_t n, status returned) {
  if (!returned.ok()) return returned;
  if (begun_ == n + 1) return fault(n, "returned OK without having called the rest of the call");
  if (!inside_ok_) return fault(n, "returned OK of a call that failed");
  return returned;
}

// The first one is the cause.
status passage::fault(std::size_t n, const char* what) {
  if (!fault_.ok()) return fault_;
  const auto text = "middleware " + std::to_string(n + 1) + " of " + std::to_string(layers_) + " " + what;
  report(text);
  fault_ = internal_error(std::string{method_.path} + ": " + text);
  return fault_;
}

void passage::report(const std::string& what) noexcept {
  log(own_context(), severity::error, std::string{method_.path} + ": " + what);
}

void passage::ended() noexcept {
  timer::cancel();
  outer_.leave();
  over_ = true;
  auto returned = outcome.has_value() ? std::move(outcome.value()) : unknown_error("the middleware failed");
  passed(!why_.ok() ? why_ : !fault_.ok() ? fault_ : std::move(returned));
}

}  // namespace detail
}  // namespace weft
