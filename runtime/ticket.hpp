#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <weft/runtime/event.hpp>
#include <weft/runtime/local_call.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/sleep.hpp>

namespace weft {

/// What stands behind a ticket, whatever its type. On the service's worker, except where it says otherwise.
class ticket_base {
 public:
  ticket_base(service& at, std::uint64_t serial, const void* type) noexcept
      : home_{at.strand().home()}, doorway_{at.doorway_}, serial_{serial}, type_{type} {}
  ticket_base(const ticket_base&) = delete;
  ticket_base& operator=(const ticket_base&) = delete;
  virtual ~ticket_base() = default;

  /// The service's worker, and its doorway, which tells whether the service is still there: a ticket may outlive it.
  worker& home() const noexcept { return home_; }
  weft::doorway& doorway() const noexcept { return *doorway_; }
  std::uint64_t serial() const noexcept { return serial_; }  // any thread
  /// Tells types of values apart.
  const void* type() const noexcept { return type_; }
  event& done() noexcept { return done_; }
  /// Any thread; once true its outcome does not change any more, and the service is not needed for it.
  bool settled() const noexcept { return settled_.load(std::memory_order_acquire); }

  template <class R>
  static constexpr char type_of = 0;

 protected:
  // The service forgets the oldest of those that are done.
  void finish(service& at) noexcept {
    finish_unseen();
    at.ticket_done(serial_);
  }
  // The service never saw it. On the poster's worker.
  void finish_unseen() noexcept {
    settled_.store(true, std::memory_order_release);
    done_.set();
  }
  static void keep(service& at, std::shared_ptr<ticket_base> t) { at.keep(std::move(t)); }

 private:
  worker& home_;
  const std::shared_ptr<weft::doorway> doorway_;
  const std::uint64_t serial_;
  const void* const type_;
  event done_;
  std::atomic<bool> settled_{false};
};

namespace detail {

// The posted call: keeps itself until it has ended, then the service and whoever holds the ticket keep its outcome.
template <class R>
class posted_call : public handler_call<R>, public ticket_base, timer {
 public:
  posted_call(service& to, std::uint64_t serial) noexcept
      : handler_call<R>{to, "post"}, ticket_base{to, serial, &type_of<R>} {}

  /// On the poster's worker. Can be found by number from then on, by whoever is told of it.
  void submit(std::shared_ptr<posted_call> self, time_point deadline) {
    self_ = self;
    this->own_context().limit_deadline(deadline);
    auto& to = this->to();
    const bool at_home = worker::current() == &home();
    if (at_home) came_from_afar();
    if (auto s = to.submit(*this); !s.ok()) {
      if (at_home) return refused(std::move(s));
      kept_.emplace(std::move(s));
      finish_unseen();
      self_.reset();
    }
  }

  /// A call that yields the outcome, from another worker. Requires: its doorway was entered.
  static call<R> watch(std::shared_ptr<posted_call> posted) {
    auto& to = posted->to();
    auto watched = [posted = std::move(posted)] { return when_done(posted); };
    auto* operation = new function_call<decltype(watched)>{to, "wait for a ticket", std::move(watched)};
    operation->becomes(service_call::kind::observer);
    operation->is_let_in();
    return call<R>{held_call<R>{operation}, within{duration::max()}};
  }
  /// On the service's worker.
  static reply<R> when_done(std::shared_ptr<posted_call> posted) {
    if (auto s = co_await posted->done().wait(); !s.ok()) co_return s;
    co_return posted->outcome_kept();
  }

  /// Requires: settled.
  const result<R>& outcome_kept() const noexcept { return *kept_; }

 private:
  void came_from_afar() override {
    keep(this->to(), self_);
    const auto deadline = this->own_context().deadline();
    if (deadline != never) home().timers().arm(*this, deadline);
  }
  call_extras& extras() override {
    if (!extras_) extras_ = std::make_unique<call_extras>();
    return *extras_;
  }
  void refused(status why) noexcept override {
    timer::cancel();
    settle(std::move(why));
    self_.reset();
  }
  void replied() noexcept override {
    timer::cancel();
    settle(this->take_outcome());
    self_.reset();
  }
  void expired() noexcept override {
    settle(deadline_exceeded("the posted call took too long"));
    this->caller_gone();
  }
  void settle(result<R> outcome) noexcept {
    if (kept_) return;
    kept_.emplace(std::move(outcome));
    finish(this->to());
  }

  std::shared_ptr<posted_call> self_;
  std::unique_ptr<call_extras> extras_;  // they go nowhere
  std::optional<result<R>> kept_;
};

template <class F, class R>
class posted_function final : public posted_call<R> {
 public:
  posted_function(service& to, std::uint64_t serial, F f) : posted_call<R>{to, serial}, function_{std::move(f)} {}

 private:
  reply<R> make_handler() override { return as_handler<F, R>(std::move(function_)); }
  F function_;
};

}  // namespace detail

/// What `service.post(f)` returns: a number, and a way to the outcome for whoever holds a copy, whenever they ask.
///
/// `co_await t` yields f's result, before or after it has ended, any number of times, by several tasks, on any strand; each
/// gets a copy. Errors besides f's own: as for a call (RESOURCE_EXHAUSTED, UNAVAILABLE, DEADLINE_EXCEEDED, UNKNOWN). Cancel:
/// a waiter that is stopped gets CANCELLED at once; the posted function goes on, it belongs to the service. When the service
/// is stopped, every waiter is told. Numbers are unique in a service, and grow in the order in which one poster posts, which
/// is the order in which its functions start.
template <class R>
class ticket {
 public:
  explicit ticket(std::shared_ptr<detail::posted_call<R>> posted) noexcept : posted_{std::move(posted)} {}

  std::uint64_t serial() const noexcept { return posted_->serial(); }
  /// True when awaiting it yields without suspending.
  bool done() const noexcept { return posted_->settled(); }

  auto operator co_await() const { return outcome_of(posted_).operator co_await(); }

 private:
  static reply<R> outcome_of(std::shared_ptr<detail::posted_call<R>> posted) {
    if (posted->settled()) co_return posted->outcome_kept();
    auto& ctx = co_await current();
    if (&ctx.home().home() == &posted->home()) co_return co_await detail::posted_call<R>::when_done(posted);
    if (!posted->doorway().enter_late())
      co_return posted->outcome_kept();  // the service has stopped, after this was settled
    auto watching = detail::posted_call<R>::watch(posted);
    watching.begin(ctx);
    co_return co_await std::move(watching);
  }

  std::shared_ptr<detail::posted_call<R>> posted_;
};

template <class F>
auto service::post(F f, call_options options) {
  using R = typename detail::handler_value<std::invoke_result_t<F&>>::type;
  auto* here = worker::current();
  if (here == nullptr) misuse(std::string{"service '"} + options_.name + "': post from a thread that is no worker");
  auto posted = std::make_shared<detail::posted_function<F, R>>(*this, next_serial(), std::move(f));
  posted->submit(posted, saturating_add(here->now(), options.limit()));
  return ticket<R>{std::move(posted)};
}

template <class R>
weft::call<R> service::wait(std::uint64_t serial, call_options options) {
  return as_kind(
      service_call::kind::observer, "wait for a ticket", [this, serial] { return outcome_of<R>(serial); }, options);
}

template <class R>
reply<R> service::outcome_of(std::uint64_t serial) {
  const auto t = find_ticket(serial);
  if (!t) co_return not_found(std::string{"service '"} + options_.name + "' knows no ticket " + std::to_string(serial));
  if (t->type() != &ticket_base::type_of<R>) {
    co_return invalid_argument("ticket " + std::to_string(serial) + " has a value of another type");
  }
  co_return co_await detail::posted_call<R>::when_done(std::static_pointer_cast<detail::posted_call<R>>(t));
}

}  // namespace weft
