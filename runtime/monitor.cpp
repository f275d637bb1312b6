#include <weft/runtime/monitor.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

long_runs::long_runs(runtime& rt, std::vector<worker*> workers, duration limit) : owner_{rt}, limit_{limit} {
  for (auto* w : workers) watched_.push_back({.who = w});
  thread_ = start_thread(rt.thread_start(), "weft-monitor", [this] { run(); });
}

void long_runs::stop() noexcept {
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void long_runs::unpark() noexcept {
  std::lock_guard lock{mutex_};
  unparked_ = true;
  changed_.notify_one();
}

bool long_runs::all_asleep() const noexcept {
  return std::ranges::all_of(watched_, [](const watched& w) { return w.who->asleep(); });
}

void long_runs::run() noexcept {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    changed_.wait_for(lock, limit_ / 4, [this] { return stopping_; });
    if (stopping_) break;
    lock.unlock();
    for (auto& w : watched_) look(w);
    if (all_asleep()) {
      parked_.exchange(true, std::memory_order_acq_rel);
      if (all_asleep()) {
        for (auto& w : watched_) look(w);  // what was last seen to run has ended
        lock.lock();
        changed_.wait(lock, [this] { return stopping_ || unparked_; });
        unparked_ = false;
        continue;
      }
      // Whoever woke meanwhile may have found it parked and be about to say so: then the next wait is cut short, no more.
      parked_.exchange(false, std::memory_order_acq_rel);
    }
    lock.lock();
    unparked_ = false;
  }
}

void long_runs::look(watched& w) {
  const auto now = owner_.time().now();
  const auto& running = w.who->running();
  if (w.runs && (running.entries() != w.entry || !running.any())) {
    if (w.reported) {
      detail::report_long_run(owner_, {w.strand.c_str(), w.task.c_str()}, now - w.since,
                              " has ended, it ran for about ");
    }
    w.runs = w.reported = false;
  }
  if (w.runs && (w.reported || now - w.since < limit_)) return;
  auto seen = running.look();
  if (!w.runs) {
    w.runs = seen.has_value();
    if (seen) w.entry = seen->entry;
    w.since = now;
    return;
  }
  // Still the same afterwards: what was read belongs to it.
  if (!seen || seen->entry != w.entry || running.entries() != w.entry) return;
  w.reported = true;
  w.strand = std::move(seen->strand);
  w.task = std::move(seen->task);
  detail::report_long_run(owner_, {w.strand.c_str(), w.task.c_str()}, now - w.since, " has been running for ");
}

void detail::report_long_run(const runtime& rt, ran what, duration took, const char* how) noexcept {
  const bool named = what.task != nullptr && *what.task != '\0';
  const auto text = (named ? "'" + std::string{what.task} + "'" : std::string{"an entry"}) + " on strand '" +
                    what.strand + "'" + how +
                    std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) + " ms";
  const std::array fields{log_field{"call", named ? what.task : "?"}, log_field{"strand", what.strand}};
  rt.log(severity::warning, text, fields);
}

}  // namespace weft
