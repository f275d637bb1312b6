#pragma once

namespace weft {

class strand;

/// What a piece of work is called in a trace. Both strings outlive it.
struct work_label {
  const char* whose;  ///< The task, or the method.
  const char* what;
};

/// Something to be run once on a strand, embedded in what it belongs to (a suspended coroutine, a call, a timer):
/// queueing it allocates nothing. It is in one queue at a time.
class work {
 public:
  work() = default;
  work(const work&) = delete;
  work& operator=(const work&) = delete;

  /// Runs on `target`; may destroy itself.
  virtual void run() noexcept = 0;

  /// Before it runs.
  virtual work_label label() const noexcept { return {"", "work"}; }

  work* next = nullptr;      // owned by the queue it is in
  strand* target = nullptr;  // set by the strand it is posted to
  bool counted = false;      // a message: counts against its strand's limit until it runs

 protected:
  ~work() = default;
};

}  // namespace weft
