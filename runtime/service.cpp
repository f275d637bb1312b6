#include <weft/runtime/service.hpp>

#include <tuple>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

service_call::service_call(service& to, const char* method) noexcept
    : to_{to}, own_ctx_{to.strand(), &to.handlers_, method} {}

void service_call::run() noexcept { to_.arrived(*this); }

void service_call::caller_gone() noexcept {
  caller_gone_ = true;
  if (stage_ == stage::running) own_ctx_.stop();
}

service::service(runtime& rt, service_options options)
    : owner_{rt},
      options_{options},
      own_strand_{options.strand != nullptr
                      ? nullptr
                      : std::make_unique<weft::strand>(
                            rt, strand_options{.name = options.name, .limit = ~0U, .worker = options.worker})},
      strand_{options.strand != nullptr ? options.strand : own_strand_.get()},
      handlers_{*strand_, nullptr, options.name},
      tasks_{*strand_, nullptr, options.name} {}

service::~service() {
  if (running_ != 0 || own_tasks_ != 0 || !mailbox_.empty() || arriving_ != 0) {
    misuse(std::string{"service '"} + options_.name + "' was destroyed with " + std::to_string(running_ + own_tasks_) +
           " calls and tasks running and " + std::to_string(mailbox_.size() + arriving_) + " waiting: stop it first");
  }
}

bool service::on_home() const noexcept { return worker::current() == &strand_->home(); }

bool service::can_start() const noexcept {
  return running_ < (options_.reentrancy == reentrancy::exclusive ? 1 : options_.running);
}

void service::assert_here() const noexcept {
#if WEFT_DEBUG
  if (strand_->running_here()) return;
  const auto* here = worker::current_strand();
  misuse(std::string{"state of service '"} + options_.name + "' was touched from " +
         (here != nullptr ? std::string{"strand '"} + here->name() + "'" : std::string{"a thread without a strand"}) +
         ": use call, post or send");
#endif
}

status service::stopped_error() const { return unavailable(std::string{"service '"} + options_.name + "' is stopped"); }

status service::admit() noexcept {
  if (stopping_) {
    ++counters_.refused;
    return stopped_error();
  }
  const auto waiting = mailbox_.size() + arriving_;
  if (waiting >= options_.mailbox && (waiting != 0 || !can_start())) {
    ++counters_.refused;
    return resource_exhausted(std::string{"service '"} + options_.name + "' has " + std::to_string(waiting) +
                              " calls waiting");
  }
  return {};
}

status service::submit(service_call& c) noexcept {
  if (!on_home()) return strand_->post(c) ? status{} : unavailable("the runtime has ended");
  if (c.kind_ == service_call::kind::call) {
    if (auto s = admit(); !s.ok()) return s;
    ++arriving_;
    c.admitted_ = true;
  }
  strand_->post(c);
  return {};
}

void service::arrived(service_call& c) noexcept {
  if (c.kind_ != service_call::kind::call) return start(c);
  if (c.admitted_) {
    --arriving_;
  } else if (auto s = admit(); !s.ok()) {
    c.stage_ = service_call::stage::done;
    return c.refused(std::move(s));
  }
  if (mailbox_.empty() && can_start()) {
    start(c);
  } else {
    mailbox_.push_back(&c);
  }
}

void service::start(service_call& c) noexcept {
  status why;
  if (c.caller_gone_) {
    ++counters_.abandoned;
    why = cancelled("the caller has gone");
  } else if (aborting_ && c.kind_ != service_call::kind::control) {
    ++counters_.refused;
    why = stopped_error();
  } else if (strand_->home().now() >= c.own_ctx_.deadline()) {
    ++counters_.expired;
    why = deadline_exceeded("the deadline passed while the call was waiting");
  } else {
    if (c.kind_ == service_call::kind::call) {
      if (running_++ == 0) handlers_.enter();
      ++counters_.started;
    } else if (c.kind_ == service_call::kind::background) {
      if (own_tasks_++ == 0) tasks_.enter();
    }
    c.stage_ = service_call::stage::running;
    c.own_ctx_.enter();
    c.start_handler();
    return;
  }
  c.stage_ = service_call::stage::done;
  c.refused(std::move(why));
  tell_if_stopped();
}

void service::start_waiting() noexcept {
  start_more_.queued = false;
  while (!mailbox_.empty() && can_start()) {
    auto& c = *mailbox_.front();
    mailbox_.pop_front();
    start(c);
  }
  tell_if_stopped();  // an abort may have emptied the mailbox since this was queued
}

void service::handler_ended(service_call& c, const std::exception_ptr& thrown) noexcept {
  if (thrown) {
    ++counters_.threw;
    detail::report_escaped(strand_->home(), c.method(), thrown);
  }
  c.stage_ = service_call::stage::done;
  c.own_ctx_.leave();
  if (c.kind_ == service_call::kind::control) return;
  if (c.kind_ == service_call::kind::background) {
    if (--own_tasks_ == 0) tasks_.leave();
  } else if (--running_ == 0) {
    handlers_.leave();
  }
  // Not from beneath this handler: a chain of calls that end at once would grow the stack.
  if (!mailbox_.empty() && !std::exchange(start_more_.queued, true)) strand_->post(start_more_);
  tell_if_stopped();
}

void service::tell_if_stopped() noexcept {
  if (!stopping_ || running_ != 0 || arriving_ != 0 || !mailbox_.empty() || start_more_.queued) return;
  tasks_.stop();
  if (own_tasks_ == 0) stopped_.set();
}

void service::begin_own(service_call& c, service_call::kind k) noexcept {
  c.kind_ = k;
  if (k == service_call::kind::control) {
    c.own_ctx_.become_root();  // stop of the handlers must not end it
  } else {
    c.own_ctx_.become_child_of(tasks_);
  }
}

void service::begin_stop(stop_mode mode) noexcept {
  stopping_ = true;
  if (mode == stop_mode::abort) {
    aborting_ = true;
    handlers_.stop();
    while (!mailbox_.empty()) {
      auto& c = *mailbox_.front();
      mailbox_.pop_front();
      start(c);
    }
  }
  tell_if_stopped();
}

task<> service::finish_stop(stop_mode mode) {
  begin_stop(mode);
  std::ignore = co_await shield(stopped_.wait(), duration::max());
}

task<> service::stop(stop_mode mode) {
  auto finished = [this, mode] { return finish_stop(mode); };
  auto operation = std::make_unique<detail::function_call<decltype(finished)>>(*this, std::move(finished));
  begin_own(*operation, service_call::kind::control);
  weft::call<unit> c{held_call<unit>{operation.release()}, within{duration::max()}};
  std::ignore = co_await shield(std::move(c), duration::max());
}

void service::stop_and_wait(stop_mode mode) { sync_wait(owner_, stop(mode)); }

}  // namespace weft
