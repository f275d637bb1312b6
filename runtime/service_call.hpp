#pragma once
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <weft/runtime/call_extras.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/status.hpp>
#include <weft/runtime/work.hpp>

namespace weft {

class service;
class worker;

/// Whether a handler shares its service with others while it is suspended.
enum class reentrancy : std::uint8_t {
  interleaved,  ///< Yes: it starts at once. What it read before a co_await may have changed after it.
  exclusive,    ///< One exclusive handler at a time, in order of arrival. Its own descendants may come back in.
};

/// The exclusive handlers above a call: who awaits whom, as far as this process knows. Shared by the calls of one handler,
/// which may be on other workers; immutable.
struct lineage {
  const service* where;
  std::uint64_t handler;  ///< Its number in that service.
  std::shared_ptr<const lineage> above;
  std::uint32_t depth;  ///< Handlers in it.

  bool contains(const service& s, std::uint64_t number) const noexcept {
    for (const auto* l = this; l != nullptr; l = l->above.get()) {
      if (l->where == &s && l->handler == number) return true;
    }
    return false;
  }
};

/// A call as its service sees it: in the mailbox, then running. Base of local calls, of calls from other processes, of
/// tickets. On the service's worker.
class service_call : public work {
 public:
  // A call from outside; a look at the service that is not limited; its own work, which ends when it stops; or the request to
  // stop. Only the first is a handler that others wait for.
  enum class kind : std::uint8_t { call, observer, background, control };

  service_call(service& to, const char* method) noexcept;

  const char* method() const noexcept { return own_ctx_.name(); }
  /// The service that runs it.
  const service& callee() const noexcept { return to_; }
  context& own_context() noexcept { return own_ctx_; }
  const context& own_context() const noexcept { return own_ctx_; }

  /// Before it is submitted.
  void becomes(kind k) noexcept;
  /// Before it is submitted, from another worker: its caller has entered the service's doorway for it.
  void is_let_in() noexcept { let_in_ = true; }
  /// Before it is submitted: what it weighs in the mailbox.
  void weighs(std::size_t bytes) noexcept { bytes_ = bytes; }
  /// Before it is submitted: it came from outside of the process.
  void comes_from(call_origin& origin) noexcept { origin_ = &origin; }
  call_origin* origin() const noexcept { return origin_; }
  /// What it carries beside its request and reply. On the service's strand, until the handler has ended.
  virtual call_extras& extras() = 0;
  /// The metadata of the reply leave now. On the service's strand.
  virtual void send_headers() {}
  /// What the calls that this handler makes descend from. On its strand.
  const std::shared_ptr<const lineage>& passes_on();

 protected:
  ~service_call() {
    if (origin_ != nullptr) origin_->call_gone();
  }

  enum class stage : std::uint8_t { mailbox, running, done };

  stage at() const noexcept { return stage_; }
  service& to() const noexcept { return to_; }
  /// Before it is submitted: the exclusive handlers above it.
  void descends_from(const std::shared_ptr<const lineage>& above) noexcept { lineage_ = above; }

  /// The handler has ended; what it threw, if anything.
  void ended(const std::exception_ptr& thrown) noexcept;
  /// Nobody waits for it any more: it is not run if it is still in the mailbox, stopped if it runs.
  void caller_gone() noexcept;
  /// The handler has ended or it was refused, on another worker than the caller's: `came_home` there. The callee's last act.
  void travel_home(worker& callers) noexcept;

 private:
  friend service;

  // Arrival: from another worker on the service's worker, then on its strand; in the end on the caller's worker.
  void run() noexcept final;
  work_label label() const noexcept final { return {method(), "arrival"}; }
  /// Creates the handler and starts it; it ends in `service::handler_ended`.
  virtual void start_handler() noexcept = 0;
  /// It was submitted on another worker and is on the service's now; nothing has been decided yet.
  virtual void came_from_afar() {}
  /// It has travelled home.
  virtual void came_home() noexcept {}
  /// The task that awaits it, if that is on this worker.
  virtual const context* caller() const noexcept { return nullptr; }
  /// The handler never ran. It is the callee's last word on this call.
  virtual void refused(status why) noexcept = 0;

  service& to_;
  call_origin* origin_ = nullptr;
  context own_ctx_;
  std::shared_ptr<const lineage> lineage_;    // what it descends from
  std::shared_ptr<const lineage> passed_on_;  // that and itself
  std::uint64_t number_ = 0;                  // of the handler, when it is exclusive
  std::size_t bytes_ = 0;
  stage stage_ = stage::mailbox;
  kind kind_ = kind::call;
  reentrancy mode_ = reentrancy::interleaved;
  bool queued_ = false;  // in the mailbox
  bool let_in_ = false;  // counted in the doorway before it was submitted
  bool caller_gone_ = false;
};

}  // namespace weft
