#include <weft/runtime/context.hpp>

#include <cassert>
#include <string>
#include <weft/runtime/config.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

void wait::suspend(std::coroutine_handle<> coroutine, context& ctx, void* where) noexcept {
  assert(ctx.waiting_ == nullptr && "a task awaits two things at once");
  finished_ = false;
  reported_ = false;
  coroutine_ = coroutine;
  ctx_ = &ctx;
  where_ = where;
  since_ = ctx.home().home().now();
  ctx.waiting_ = this;
}

void context::look_for_home(const char* what) const noexcept {
  const auto* here = worker::current();
  if (here == &strand_->home() || !strand_->home().threaded()) return;  // whoever pumps may do as its worker
  misuse(std::string{what} + " of task '" + name_ + "' on strand '" + strand_->name() + "', which belongs to worker " +
         std::to_string(strand_->home().index()) + ", was used from " +
         (here != nullptr ? "worker " + std::to_string(here->index()) : std::string{"a thread that is no worker"}) +
         ": post to the strand");
}

void wait::finish() noexcept {
  ctx_->must_be_home(what_);
  assert(!finished_ && "a wait was completed twice");
  finished_ = true;
  ctx_->waiting_ = nullptr;
  ctx_->home().post(*this);
}

void wait::run() noexcept {
  assert(ctx_->home().running_here() && "a task was resumed off its strand");
  ctx_->home().home().runs_task(ctx_->name());
  coroutine_.resume();
}

work_label wait::label() const noexcept { return {ctx_->name(), what_}; }

namespace {

// Apart, so that it costs tasks that carry nothing no registers.
WEFT_NOINLINE void share(const annotations& above, annotations& own) noexcept {
  if (own.empty()) own = above;
}

}  // namespace

context::~context() { leave(); }

context*& context::siblings() noexcept { return parent_ != nullptr ? parent_->children_ : strand_->home().roots_; }

void context::enter() noexcept {
  assert(!entered_);
  entered_ = true;
  auto*& head = siblings();
  next_ = head;
  if (head != nullptr) head->previous_ = this;
  head = this;
  if (parent_ != nullptr) {
    if (!parent_->annotations_.empty()) share(parent_->annotations_, annotations_);
    if (handler_ == nullptr && !begins_chain_) handler_ = parent_->handler_;
    if (!shielded_) {
      limit_deadline(parent_->deadline_);
      stopped_ = parent_->stopped_;
    }
  } else if (strand_->home().stopping_) {
    stopped_ = true;
  }
}

void context::annotate(const char* key, std::string value) {
  if (speaks_for_parent_) parent_->annotate(key, value);
  annotations_.add(key, std::move(value));
}

void context::leave() noexcept {
  if (!entered_) return;
  entered_ = false;
  if (children_ != nullptr)
    misuse("a task ended while children of its scope were still running: await the scope's end");
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    siblings() = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
  next_ = previous_ = nullptr;
}

void context::stop() noexcept {
  if (stopped_) return;
  stopped_ = true;
  // Nothing below runs user code: waits only unlink and queue their coroutines. So the list stays as it is.
  for (auto* child = children_; child != nullptr; child = child->next_) {
    if (!child->shielded_) child->stop();
  }
  if (waiting_ != nullptr) waiting_->on_stop();
}

}  // namespace weft
