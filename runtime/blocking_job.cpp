#include <weft/runtime/blocking_job.hpp>

#include <algorithm>
#include <string>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {

void blocking_job::begin(worker& home, blocking_wait& waiter) noexcept {
  way_.emplace(home);
  waiter_ = &waiter;
}

bool blocking_job::abandon() noexcept {
  waiter_ = nullptr;
  auto expected = stage::waiting;
  const bool never_runs = policy_ == if_abandoned::skip && stage_.compare_exchange_strong(expected, stage::abandoned);
  way_->shut();
  return never_runs;
}

bool blocking_job::claim() noexcept {
  auto expected = stage::waiting;
  return stage_.compare_exchange_strong(expected, stage::begun);
}

std::exception_ptr blocking_job::run(void* resource) noexcept {
  try {
    invoke(resource);
    return nullptr;
  } catch (...) {
    error_ = unknown_error("the function threw");  // in full in the log: it may not be for whoever called from outside
    return std::current_exception();
  }
}

void blocking_job::tell_waiter() noexcept {
  if (auto* w = std::exchange(waiter_, nullptr)) w->came_home();
}

bool blocking_wait::begin(std::shared_ptr<blocking_job> job, std::coroutine_handle<> h, context& ctx,
                          void* where) noexcept {
  if (ctx.stopped()) {
    early_ = cancelled("the calling task is stopped: the job was not submitted");
    return false;
  }
  auto& home = ctx.home().home();
  const auto deadline = std::min(ctx.deadline(), saturating_add(home.now(), limit_));
  if (deadline <= home.now()) {
    early_ = deadline_exceeded("the deadline had passed before the job was submitted");
    return false;
  }
  job->begin(home, *this);
  job_ = job.get();
  early_ = pool_.submit(std::move(job));
  if (!early_.ok()) return false;
  // Only this worker completes the wait, in a later entry: it may be registered after the job is on its way.
  waits_for(pool_.name());
  suspend(h, ctx, where);
  if (deadline != never) home.timers().arm(*this, deadline);
  return true;
}

void blocking_wait::came_home() noexcept {
  timer::cancel();
  finish();
}

void blocking_wait::give_up(code why, const char* text) noexcept {
  early_ = status{why, std::string{text} + (job_->abandon() ? ": the job will not run" : ": the job goes on")};
  finish();
}

void blocking_wait::expired() noexcept { give_up(code::deadline_exceeded, "the job took too long"); }

void blocking_wait::on_stop() noexcept {
  timer::cancel();
  give_up(code::cancelled, "the calling task was stopped");
}

void dropped_job_misuse() noexcept {
  misuse("a job of a blocking_pool was dropped without having been submitted: co_await it, or start it in a scope");
}

}  // namespace weft::detail
