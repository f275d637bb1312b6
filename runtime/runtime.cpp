#include <weft/runtime/runtime.hpp>

#include <optional>
#include <string>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/visit.hpp>

namespace weft {
namespace {

constexpr duration patience = std::chrono::seconds{5};

}  // namespace

runtime::runtime(runtime_options options, std::unique_ptr<event_source> first_source)
    : options_{std::move(options)}, clock_{options_.time != nullptr ? options_.time : &steady_} {
  if (options_.workers < 0) misuse("runtime_options::workers is negative: 0 means pumped, n means n threads");
  const bool threaded = options_.workers > 0;
  if (threaded && options_.order != nullptr) misuse("runtime_options::order is for workers = 0: threads have no order");
  if (threaded && options_.wake.any()) misuse("runtime_options::wake is for workers = 0: threads wake by themselves");
  const int count = threaded ? options_.workers : 1;
  for (int i = 0; i < count; ++i) {
    auto source = i == 0 && first_source ? std::move(first_source) : make_futex_source();
    workers_.push_back(
        std::make_unique<worker>(*this, i, *clock_, std::move(source), options_.spin, threaded, options_.order));
  }
  control_ = std::make_unique<strand>(*workers_[0], strand_options{.name = "control"});
  if (options_.monitor.suspended > duration::zero()) {
    for (auto& w : workers_) w->watch_waits(options_.monitor.suspended);
  }
  if (!threaded) {
    if (!options_.wake.any()) return;
    signal_ = std::make_unique<pump_signal>(options_.wake.call);
    workers_[0]->raise_when_woken(*signal_);
    return;
  }
  if (options_.monitor.long_run > duration::zero()) {
    std::vector<worker*> all;
    for (auto& w : workers_) all.push_back(w.get());
    long_runs_ = std::make_unique<long_runs>(*this, std::move(all), options_.monitor.long_run);
    for (auto& w : workers_) w->watch_runs(*long_runs_);
  }
  for (auto& w : workers_) {
    threads_.push_back(start_thread(options_.thread_start, "weft-worker", [&w = *w] { w.run(); }));
  }
}

runtime::~runtime() {
  runtime::stop();
  control_.reset();
}

void runtime::stop() noexcept {
  if (stopped_) return;
  if (worker::current() != nullptr) {
    misuse("runtime::stop (or ~runtime) was called on one of its workers: call it on the thread that made the runtime");
  }
  stopped_ = true;
  newcomers_.close();
  for (auto& w : workers_) visit(*w, [&w = *w] { w.stop_tasks(); });
  if (threads_.empty()) {
    auto& w = *workers_[0];
    auto report = std::chrono::steady_clock::now() + patience;
    while (w.round(time_point::min()), !w.idle()) {
      if (std::chrono::steady_clock::now() < report) continue;
      log_still_busy(w);
      report += patience;
    }
    w.close();
    return;
  }
  wait_until_idle();
  // The first worker first: what its source still brings back goes home to the others.
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    visit(*workers_[i], [&w = *workers_[i]] { w.leave(); });
    threads_[i].join();
  }
  if (long_runs_) long_runs_->stop();
}

void runtime::log_still_busy(const worker& w) const noexcept {
  log(severity::warning, "runtime::stop: worker " + std::to_string(w.index()) + " still has tasks or work after 5 s");
}

// Workers may still hand work to each other while they end. Nothing is under way when two sweeps, each of which asked
// every worker while it was idle, find that none of them ran anything in between.
void runtime::wait_until_idle() noexcept {
  std::uint64_t before = 0;
  for (bool first = true;; first = false) {
    std::uint64_t total = 0;
    for (auto& w : workers_) {
      idle_probe probe;
      visit(*w, [&w = *w, &probe] { w.answer_when_idle(probe); });
      std::optional<std::uint64_t> entries;
      while (!(entries = probe.wait(patience))) {
        log_still_busy(*w);
      }
      total += *entries;
    }
    if (!first && total == before) return;
    before = total;
  }
}

pump_result runtime::pump(const pump_options& options) noexcept {
  if (!threads_.empty()) misuse("runtime::pump was called on a runtime with threads: make it with workers = 0");
  auto& w = *workers_[0];
  if (worker::current() == &w) misuse("runtime::pump was called in something that it runs: return to it instead");
  return w.pump(options);
}

int runtime::wake_fd() const noexcept {
  if (!signal_ || !options_.wake.fd) misuse("runtime::wake_fd: set runtime_options::wake.fd, with workers = 0");
  return signal_->fd();
}

worker& runtime::worker_at(int index) {
  if (index < 0 || index >= static_cast<int>(workers_.size())) {
    misuse("worker " + std::to_string(index) + " was asked for, but the runtime has " +
           std::to_string(workers_.size()));
  }
  return *workers_[static_cast<std::size_t>(index)];
}

void runtime::log(severity level, std::string_view text, std::span<const log_field> fields) const noexcept {
  const log_record record{level, text, fields};
  if (options_.log) {
    options_.log(record);
  } else {
    log_to_stderr(record);
  }
}

}  // namespace weft
