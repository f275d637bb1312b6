#pragma once

namespace weft {

class strand;

/// Something to be run once on a strand, embedded in what it belongs to (a suspended coroutine, a call, a timer):
/// queueing it allocates nothing. It is in one queue at a time.
class work {
 public:
  work() = default;
  work(const work&) = delete;
  work& operator=(const work&) = delete;

  /// Runs on `target`; may destroy itself.
  virtual void run() noexcept = 0;

  work* next = nullptr;      // owned by the queue it is in
  strand* target = nullptr;  // set by the strand it is posted to
  bool counted = false;      // a message: counts against its strand's limit until it runs

 protected:
  ~work() = default;
};

}  // namespace weft
