#include <weft/runtime/service.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/service_ticker.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/wait_cycle.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

namespace {

// Exclusive handlers below each other; more is a recursion that never ends.
constexpr std::uint32_t deepest_chain = 256;

}  // namespace

service_call::service_call(service& to, const char* method) noexcept
    : to_{to}, own_ctx_{to.strand(), &to.handlers_, method} {}

void service_call::run() noexcept {
  if (target != nullptr) return to_.arrived(*this);
  if (stage_ == stage::done) return came_home();
  auto& to = to_;
  came_from_afar();
  if (auto s = to.submit(*this); !s.ok()) to.refuse(*this, std::move(s));
  to.came_in();
}

void service_call::caller_gone() noexcept {
  caller_gone_ = true;
  if (queued_) {  // whoever holds it gets it back soon, although no handler may end for long
    ++to_.abandoned_waiting_;
    to_.queue_start_more();
  }
  if (stage_ == stage::running) own_ctx_.stop();
}

void service_call::travel_home(worker& callers) noexcept {
  target = nullptr;
  callers.submit(*this);
}

void service_call::ended(const std::exception_ptr& thrown) noexcept { to_.handler_ended(*this, thrown); }

void service_call::becomes(kind k) noexcept {
  kind_ = k;
  // Stop of the handlers must reach neither who looks on nor who stops them.
  if (k == kind::background) own_ctx_.become_child_of(to_.tasks_);
  if (k == kind::observer || k == kind::control) own_ctx_.become_root();
}

const std::shared_ptr<const lineage>& service_call::passes_on() {
  if (mode_ == reentrancy::interleaved) return lineage_;  // it keeps nobody out
  if (!passed_on_)
    passed_on_ = std::make_shared<const lineage>(lineage{&to_, number_, lineage_, lineage_ ? lineage_->depth + 1 : 1});
  return passed_on_;
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
      tasks_{*strand_, nullptr, options.name},
      report_at_{rt.monitor().mailbox} {
  if (options.running == 0)
    misuse(std::string{"service '"} + options.name + "': with running = 0 no handler ever runs");
  strand_->home().join(*this);
}

bool service::on_home() const noexcept { return worker::current() == &strand_->home(); }

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

reentrancy service::mode_of(const service_call& c) const noexcept {
  for (const auto& [method, mode] : modes_) {
    if (method == c.method() || std::strcmp(method, c.method()) == 0) return mode;
  }
  return options_.reentrancy;
}

inline status service::admit(const service_call& c) noexcept {
  const auto waiting = mailbox_.empty() ? arriving_ : mailbox_.size() + arriving_;  // the size of a deque costs more
  const bool open = !stopping_ && !retiring_ && waiting < options_.mailbox && !c.lineage_ &&
                    waiting_bytes_ + c.bytes_ <= options_.mailbox_bytes;
  if (!open) [[unlikely]] {
    if (auto why = look_closer(c); !why.ok()) {
      ++counters_.refused;
      return why;
    }
  }
  waiting_bytes_ += c.bytes_;
  return {};
}

status service::look_closer(const service_call& c) noexcept {
  if (abandoned_waiting_ != 0) drop_abandoned();
  const auto waiting = mailbox_.size() + arriving_;
  const auto itself = std::string{"service '"} + options_.name + "'";
  if (stopping_) return stopped_error();
  if (retiring_ && !plays_on(c.method())) return unavailable(itself + " is retiring");
  if (waiting >= options_.mailbox && (waiting != 0 || !can_start(c))) {
    return resource_exhausted(itself + " has " + std::to_string(waiting) + " calls waiting");
  }
  if (c.lineage_ && c.lineage_->depth >= deepest_chain) {
    return resource_exhausted(itself + ": " + std::to_string(deepest_chain) + " handlers wait for each other already");
  }
  if (waiting_bytes_ + c.bytes_ > options_.mailbox_bytes) {
    return resource_exhausted(itself + " has " + std::to_string(waiting_bytes_) + " bytes of requests waiting, and " +
                              std::to_string(c.bytes_) + " are too many more");
  }
  return {};
}

std::uint32_t& service::arriving(const service_call& c) noexcept {
  return c.kind_ == service_call::kind::call ? arriving_ : arriving_own_;
}

status service::submit(service_call& c) noexcept {
  // From another worker: to this one's inbox, not to the strand's queue, where it would wait its turn without a limit.
  if (!on_home()) {
    const bool is_new = c.kind_ == service_call::kind::call || c.kind_ == service_call::kind::background;
    if (!c.let_in_ && !(is_new ? doorway_->enter() : doorway_->enter_late())) return stopped_error();
    if (strand_->home().submit(c)) return {};
    doorway_->leave();
    return unavailable("the runtime has ended");
  }
  c.mode_ = mode_of(c);
  if (c.kind_ == service_call::kind::call) {
    if (auto s = admit(c); !s.ok()) return s;
  } else if (c.kind_ == service_call::kind::background) {
    if (stopping_) return stopped_error();
  }
  ++arriving(c);
  strand_->post(c);
  return {};
}

void service::refuse(service_call& c, status why) noexcept {
  c.stage_ = service_call::stage::done;
  if (c.kind_ == service_call::kind::background) log_not_started(why);
  c.refused(std::move(why));
}

void service::arrived(service_call& c) noexcept {
  --arriving(c);
  if (c.kind_ != service_call::kind::call) return start(c);
  if (can_start(c) && goes_before_waiting(c)) return start(c);

  const auto* caller = c.caller();
  const auto* blocker = blocker_of(c);
  if (caller != nullptr && blocker != nullptr) {
    if (auto path = find_wait_cycle(*caller, *blocker); !path.empty()) {
      ++counters_.deadlocked;
      waiting_bytes_ -= c.bytes_;
      return refuse(c, aborted("deadlock: " + path));
    }
  }
  enqueue(c);
}

bool service::can_start(const service_call& c) const noexcept {
  if (c.mode_ == reentrancy::interleaved) return running_ < options_.running;
  if (exclusive_.empty()) return running_ < options_.running;
  return c.lineage_ && c.lineage_->contains(*this, exclusive_.back()->number_);
}

// Calls of one mode keep the order in which they came.
bool service::goes_before_waiting(const service_call& c) const noexcept {
  if (mailbox_.empty()) return true;
  return c.mode_ == reentrancy::interleaved ? waiting_interleaved_ == 0 : !exclusive_.empty();
}

void service::enqueue(service_call& c) noexcept {
  mailbox_.push_back(&c);
  if (mailbox_.size() == report_at_) report_mailbox();
  c.queued_ = true;
  if (c.caller_gone_) ++abandoned_waiting_;
  if (c.mode_ == reentrancy::interleaved) ++waiting_interleaved_;
  if (c.lineage_) ++waiting_descendants_;
}

void service::report_mailbox() noexcept {
  report_at_ *= 2;
  log(handlers_, severity::warning,
      std::string{"service '"} + options_.name + "' has " + std::to_string(mailbox_.size()) + " calls waiting, " +
          std::to_string(running_) + " handlers in progress");
}

void service::dequeue(std::deque<service_call*>::iterator at) noexcept {
  auto& c = **at;
  c.queued_ = false;
  if (c.caller_gone_) --abandoned_waiting_;
  if (c.mode_ == reentrancy::interleaved) --waiting_interleaved_;
  if (c.lineage_) --waiting_descendants_;
  mailbox_.erase(at);
  if (mailbox_.empty()) report_at_ = owner_.monitor().mailbox;
}

// Nobody waits for them: they must not keep others out.
void service::drop_abandoned() noexcept {
  for (auto at = mailbox_.begin(); at != mailbox_.end() && abandoned_waiting_ != 0;) {
    if (!(*at)->caller_gone_) {
      ++at;
      continue;
    }
    auto& c = **at;
    const auto position = at - mailbox_.begin();
    dequeue(at);
    start(c);
    at = mailbox_.begin() + position;
  }
}

status service::too_late(const service_call& c) noexcept {
  if (c.caller_gone_) {
    ++counters_.abandoned;
    return cancelled("the caller has gone");
  }
  if (aborting_ && (c.kind_ == service_call::kind::call || c.kind_ == service_call::kind::background)) {
    ++counters_.refused;
    return stopped_error();
  }
  if (strand_->home().now() < c.own_ctx_.deadline()) return {};
  ++counters_.expired;
  return deadline_exceeded("the deadline passed while the call was waiting");
}

void service::start(service_call& c) noexcept {
  if (c.kind_ == service_call::kind::call) waiting_bytes_ -= c.bytes_;
  if (c.caller_gone_ || aborting_ || strand_->home().now() >= c.own_ctx_.deadline()) [[unlikely]] {
    if (auto why = too_late(c); !why.ok()) {
      refuse(c, std::move(why));
      return tell_progress();
    }
  }
  switch (c.kind_) {
    case service_call::kind::call:
      if (running_++ == 0) handlers_.enter();
      ++counters_.started;
      c.own_ctx_.is_handler(c);
      if (c.mode_ == reentrancy::exclusive) {
        if (!exclusive_.empty()) ++counters_.reentered;
        c.number_ = ++exclusive_started_;
        exclusive_.push_back(&c);
      }
      break;
    case service_call::kind::observer: ++observers_; break;
    case service_call::kind::background:
      if (own_tasks_++ == 0) tasks_.enter();
      break;
    case service_call::kind::control: break;
  }
  c.stage_ = service_call::stage::running;
  c.own_ctx_.enter();
  strand_->home().runs_task(c.method());
  c.start_handler();
}

// What could start is in front, except for interleaved calls behind exclusive ones and descendants of who is in progress.
void service::queue_start_more() noexcept {
  if (!std::exchange(start_more_.queued, true)) strand_->post(start_more_);
}

void service::start_waiting() noexcept {
  start_more_.queued = false;
  if (abandoned_waiting_ != 0) drop_abandoned();
  for (auto at = mailbox_.begin(); at != mailbox_.end();) {
    if (!can_start(**at)) {
      if (waiting_interleaved_ == 0 && waiting_descendants_ == 0) break;
      ++at;
      continue;
    }
    auto& c = **at;
    const auto position = at - mailbox_.begin();
    dequeue(at);
    start(c);  // may end at once, and shrink the mailbox through what it calls; nothing arrives inline
    at = mailbox_.begin() + std::min<std::ptrdiff_t>(position, std::ssize(mailbox_));
  }
  tell_progress();  // an abort may have emptied the mailbox since this was queued
}

void service::handler_ended(service_call& c, const std::exception_ptr& thrown) noexcept {
  if (thrown) {
    ++counters_.threw;
    detail::report_escaped(c.own_ctx_, c.method(), thrown);
  }
  c.stage_ = service_call::stage::done;
  c.own_ctx_.leave();
  switch (c.kind_) {
    case service_call::kind::call:
      if (c.mode_ == reentrancy::exclusive) {
        std::erase(exclusive_, &c);
        if (exclusive_.empty() && ticker_) ticker_->go_on();
      }
      if (--running_ == 0) handlers_.leave();
      break;
    case service_call::kind::observer: --observers_; break;
    case service_call::kind::background:
      if (--own_tasks_ == 0) tasks_.leave();
      break;
    case service_call::kind::control: return;
  }
  // Not from beneath this handler: a chain of calls that end at once would grow the stack.
  if (!mailbox_.empty()) queue_start_more();
  tell_progress();
}

const context* service::blocker_of(const service_call& c) const noexcept {
  if (c.stage_ == service_call::stage::running) return &c.own_ctx_;
  if (c.stage_ == service_call::stage::done || c.mode_ != reentrancy::exclusive || exclusive_.empty()) return nullptr;
  return &exclusive_.back()->own_ctx_;
}

void service::log_not_started(const status& why) const noexcept {
  owner_.log(severity::error, std::string{"service '"} + options_.name + "': start: " + why.to_string());
}

void service::keep(std::shared_ptr<ticket_base> t) { tickets_.emplace(t->serial(), std::move(t)); }

void service::ticket_done(std::uint64_t serial) noexcept {
  tickets_done_.push_back(serial);
  while (tickets_done_.size() > options_.tickets) {
    tickets_.erase(tickets_done_.front());
    tickets_done_.pop_front();
  }
}

std::shared_ptr<ticket_base> service::find_ticket(std::uint64_t serial) const noexcept {
  const auto found = tickets_.find(serial);
  return found == tickets_.end() ? nullptr : found->second;
}

}  // namespace weft
