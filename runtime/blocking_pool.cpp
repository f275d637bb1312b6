#include <weft/runtime/blocking_pool.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/worker.hpp>

namespace weft::detail {
namespace {

std::string text_of(const std::exception_ptr& e) {
  try {
    std::rethrow_exception(e);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "not a std::exception";
  }
}

}  // namespace

blocking_threads::blocking_threads(factory make, blocking_pool_options options)
    : make_{std::move(make)}, options_{std::move(options)}, hopeful_{options_.threads} {
  if (options_.threads < 1 || options_.waiting < 1) {
    misuse("blocking_pool_options: a pool needs a thread, and room for a job that waits");
  }
  for (int i = 0; i < options_.threads; ++i) {
    threads_.push_back(start_thread(options_.thread_start, "weft-blocking", [this] { serve(); }));
  }
}

status blocking_threads::submit(std::shared_ptr<blocking_job> job) {
  {
    std::lock_guard lock{mutex_};
    if (stopping_ || !down_.ok() || waiting_ >= options_.waiting) {
      ++counters_.refused;
      if (stopping_) return unavailable("blocking pool '" + std::string{name()} + "' is stopped");
      if (!down_.ok()) return down_;
      return resource_exhausted("in blocking pool '" + std::string{name()} + "' " + std::to_string(waiting_) +
                                " jobs wait");
    }
    ++counters_.accepted;
    ++waiting_;
    if (job->key()) {
      const auto [behind, first] = keys_.try_emplace(*job->key());
      if (!first) {
        behind->second.push_back(std::move(job));
        return {};
      }
    }
    ready_.push_back(std::move(job));
  }
  jobs_wanted_.notify_one();
  return {};
}

void blocking_threads::stop(pool_stop how) noexcept {
  if (worker::current() != nullptr) {
    misuse("blocking_pool::stop (or ~blocking_pool) was called on a worker, which it would block: call it in main()");
  }
  line given_up;
  {
    std::lock_guard lock{mutex_};
    stopping_ = true;
    if (how == pool_stop::abandon) given_up = take_all();
  }
  jobs_wanted_.notify_all();
  retry_.notify_all();
  refuse(std::move(given_up), unavailable("blocking pool '" + std::string{name()} + "' was stopped"));
  for (auto& t : threads_) {
    if (t.joinable()) t.join();
  }
}

void blocking_threads::serve() noexcept {
  bool hopeful = true;
  for (auto delay = options_.retry_first;; delay = std::min(2 * delay, options_.retry_most)) {
    auto made = make();
    if (!made.ok()) log("no resource: " + made.status().to_string());
    line given_up;
    std::unique_lock lock{mutex_};
    if (made.ok()) {
      if (!hopeful) ++hopeful_;
      down_ = {};
      return run_jobs(lock, made->get());
    }
    if (std::exchange(hopeful, false)) --hopeful_;
    if (hopeful_ == 0) {
      down_ = unavailable("blocking pool '" + std::string{name()} + "': " + made.status().message());
      given_up = take_all();
    }
    lock.unlock();
    refuse(std::move(given_up), unavailable("blocking pool '" + std::string{name()} + "': " + made.status().message()));
    lock.lock();
    if (retry_.wait_for(lock, delay, [this] { return stopping_; })) return;
  }
}

result<blocking_threads::resource> blocking_threads::make() const noexcept {
  try {
    return make_();
  } catch (...) {
    return unavailable(text_of(std::current_exception()));
  }
}

void blocking_threads::run_jobs(std::unique_lock<std::mutex>& lock, void* resource) {
  for (;;) {
    jobs_wanted_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
    if (ready_.empty()) return;  // what waits behind a key is run by the thread that runs the key's first
    line job;
    job.splice(job.end(), ready_, ready_.begin());
    --waiting_;
    const auto key = job.front()->key();
    lock.unlock();
    run(std::move(job), resource);
    lock.lock();
    if (!key) continue;
    const auto behind = keys_.find(*key);
    if (behind->second.empty()) {
      keys_.erase(behind);
    } else {
      ready_.splice(ready_.end(), behind->second,
                    behind->second.begin());  // this thread takes one next: no need to wake
    }
  }
}

// The function and its result, when nobody wants them any more, are destroyed here, outside of the lock.
void blocking_threads::run(line one, void* resource) {
  auto& job = *one.front();
  const bool runs = job.claim();
  std::exception_ptr thrown;
  if (runs) thrown = job.run(resource);
  if (thrown) log("a function threw: " + text_of(thrown));
  {
    std::lock_guard lock{mutex_};
    ++(runs ? counters_.ran : counters_.skipped);
    if (thrown) ++counters_.threw;
  }
  if (runs) job.go_home();
}

// All that wait, the jobs of each key in their order.
blocking_threads::line blocking_threads::take_all() {
  line taken;
  while (!ready_.empty()) {
    const auto key = ready_.front()->key();
    taken.splice(taken.end(), ready_, ready_.begin());
    if (!key) continue;
    const auto behind = keys_.find(*key);
    taken.splice(taken.end(), behind->second);
    keys_.erase(behind);
  }
  for (auto& [key, behind] : keys_) taken.splice(taken.end(), behind);  // keys of which one runs
  waiting_ = 0;
  return taken;
}

void blocking_threads::refuse(line jobs, const status& why) noexcept {
  std::uint64_t refused = 0;
  std::uint64_t lost = 0;
  for (const auto& job : jobs) {
    if (!job->claim()) continue;
    ++refused;
    job->refuse(why);
    if (!job->go_home()) ++lost;
  }
  if (lost != 0) log(std::to_string(lost) + " jobs whose callers had gone were not run: " + why.to_string());
  std::lock_guard lock{mutex_};
  counters_.refused += refused;
  counters_.lost += lost;
  counters_.skipped += jobs.size() - refused;
}

blocking_pool_counters blocking_threads::counters() const {
  std::lock_guard lock{mutex_};
  return counters_;
}

std::size_t blocking_threads::waiting() const {
  std::lock_guard lock{mutex_};
  return waiting_;
}

void blocking_threads::log(const std::string& text) const {
  const auto line = "blocking pool '" + std::string{name()} + "': " + text;
  if (options_.log) {
    options_.log(line);
  } else {
    std::fprintf(stderr, "weft: %s\n", line.c_str());
  }
}

}  // namespace weft::detail
