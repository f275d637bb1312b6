#pragma once
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <weft/runtime/annotations.hpp>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/work.hpp>

namespace weft {

class context;
class long_waits;
class service_call;
class strand;
class worker;

/// A coroutine suspended at a leaf: what it waits for, and how stop reaches it. Base of every awaiter that really waits.
///
/// Exactly one completion: whoever ends the wait (the event, or `on_stop`) first unlinks it from the other, then calls
/// `finish` once. The coroutine is resumed from its strand's queue, never from beneath the caller of `finish`.
class wait : public work {
 public:
  const char* what() const noexcept { return what_; }
  void* where() const noexcept { return where_; }
  time_point since() const noexcept { return since_; }
  /// The task in this worker that has to go on before this wait can end; null when that is not known, or no task.
  virtual const context* blocked_by() const noexcept { return nullptr; }

 protected:
  explicit wait(const char* what) noexcept : what_{what} {}
  ~wait() = default;

  /// Registers the suspended coroutine with its context. `where` is the return address in the awaiting coroutine.
  void suspend(std::coroutine_handle<> coroutine, context& ctx, void* where) noexcept;
  /// Ends the wait: the coroutine resumes on its strand. On that strand's worker only, once.
  void finish() noexcept;
  bool finished() const noexcept { return finished_; }
  /// Says more precisely what is waited for.
  void waits_for(const char* what) noexcept { what_ = what; }
  context* ctx() const noexcept { return ctx_; }

 private:
  friend context;
  friend long_waits;
  /// The task was stopped while it waits. Ends the wait, now or as soon as what it waits for has wound up.
  virtual void on_stop() noexcept = 0;
  void run() noexcept final;
  work_label label() const noexcept final;

  bool finished_ = false;
  bool reported_ = false;  // it lasts for long, and that was said
  std::coroutine_handle<> coroutine_;
  context* ctx_ = nullptr;
  const char* what_;
  void* where_ = nullptr;
  time_point since_{};
};

/// What a task and everything it awaits share: strand, stop, deadline. One for each root and each child of a scope; they
/// form a tree along which stop travels. Touched on its strand only.
class context {
 public:
  /// Not yet part of the tree: `enter` links it, on its strand. `name` has to live as long as the runtime: a literal.
  explicit context(strand& home, context* parent = nullptr, const char* name = "task") noexcept
      : strand_{&home}, parent_{parent}, name_{name} {}
  ~context();
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  strand& home() const noexcept { return *strand_; }
  context* parent() const noexcept { return parent_; }
  const char* name() const noexcept { return name_; }
  /// What dumps and reports call it from now on. A name lives as long as the runtime, as all names of tasks do: a literal,
  /// since the monitor reads it without asking. Whose task it is, is said by `weft::annotate`.
  void rename(const char* name) noexcept { name_ = name; }

  /// The earliest time by which this task's result is of use to somebody; calls it makes inherit it.
  time_point deadline() const noexcept { return deadline_; }
  void limit_deadline(time_point d) noexcept {
    if (d < deadline_) deadline_ = d;
  }

  /// True once stop was asked for. Waits end at once then, with CANCELLED or an empty value; code goes on running.
  bool stopped() const noexcept { return stopped_; }
  /// Stops this task and everything below it.
  void stop() noexcept;
  /// Before `enter`: stop of the parent does not reach this task.
  void shield() noexcept { shielded_ = true; }

  /// Before `enter`: it has no parent, whatever was said when it was made.
  void become_root() noexcept { parent_ = nullptr; }
  /// Before `enter`: it has another parent, on the same strand.
  void become_child_of(context& parent) noexcept { parent_ = &parent; }

  /// The handler of a service that this task is part of; null outside of handlers, and where a new chain of calls began.
  service_call* handler() const noexcept { return handler_; }
  /// Before `enter`: it is that handler.
  void is_handler(service_call& c) noexcept { handler_ = &c; }
  /// Before `enter`: what it calls does not descend from the handler it is part of.
  void begins_chain() noexcept { begins_chain_ = true; }

  /// Says something about this task, what it starts and what it calls from now on: see `weft::annotate`. On its strand.
  void annotate(const char* key, std::string value);
  /// Before `enter`: it carries what is known about the task that calls it.
  void inherit_annotations(const context& from) noexcept {
    if (!from.annotations_.empty()) annotations_ = from.annotations_;
  }
  /// Before anything is said: it is the body of a scope, and speaks for it.
  void speaks_for_parent() noexcept { speaks_for_parent_ = true; }
  /// Calls `f(key, value)` for each key that holds for this task, its own first, then what was said above it.
  template <class F>
  void for_each_annotation(F f) const;

  /// Debug builds: ends the process when the caller is not on this task's worker, naming both. `what` was used.
  void must_be_home([[maybe_unused]] const char* what) const noexcept {
#if WEFT_DEBUG
    look_for_home(what);
#endif
  }

  /// Between `leave` and `enter`, for a root: it belongs to another strand.
  void rehome(strand& there) noexcept { strand_ = &there; }

  /// Takes its place below its parent (or among the worker's roots) and inherits the parent's deadline and stop.
  void enter() noexcept;
  /// Leaves the tree; everything below has ended. Idempotent.
  void leave() noexcept;

  /// What the task waits for; null while it runs or is queued to run.
  const wait* waiting() const noexcept { return waiting_; }
  const context* first_child() const noexcept { return children_; }
  const context* next_sibling() const noexcept { return next_; }

 private:
  friend wait;
  friend worker;
  friend long_waits;

  void look_for_home(const char* what) const noexcept;
  context*& siblings() noexcept;  // head of the list this context is in

  strand* strand_;
  context* parent_;
  context* children_ = nullptr;
  context* next_ = nullptr;
  context* previous_ = nullptr;
  wait* waiting_ = nullptr;
  time_point deadline_ = never;
  const char* name_;
  service_call* handler_ = nullptr;
  annotations annotations_;
  bool entered_ = false;
  bool stopped_ = false;
  bool shielded_ = false;
  bool begins_chain_ = false;
  bool speaks_for_parent_ = false;
};

template <class F>
void context::for_each_annotation(F f) const {
  std::array<std::string_view, 16> said;
  std::size_t count = 0;
  for (const auto* c = this; c != nullptr; c = c->parent_) {
    for (const auto* n = c->annotations_.newest(); n != nullptr; n = n->older) {
      const auto* end = said.data() + count;
      if (count == said.size() || std::find(static_cast<const std::string_view*>(said.data()), end, n->key) != end)
        continue;
      said[count++] = n->key;
      f(n->key, std::string_view{n->value});
    }
  }
}

}  // namespace weft
