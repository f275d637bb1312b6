#pragma once
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>
#include <weft/runtime/blocking_job.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/threads.hpp>

namespace weft {

struct blocking_pool_options {
  const char* name = "blocking pool";  ///< For dumps, logs and the text of errors; must outlive the pool.
  int threads = 4;
  std::size_t waiting = 1'024;                            ///< Jobs that may wait; one more gets RESOURCE_EXHAUSTED.
  duration retry_first = std::chrono::milliseconds{100};  ///< After a factory failed; doubles from time to time ...
  duration retry_most = std::chrono::seconds{10};         ///< ... up to this.
  /// Where it reports what it cannot return: exceptions of functions, factories that fail, jobs that are lost. Called on
  /// the pool's threads. Null: stderr.
  std::function<void(std::string_view)> log{};
  thread_hook thread_start{};  ///< Called on each of its threads when it starts.
};

struct blocking_pool_counters {
  std::uint64_t accepted = 0;
  std::uint64_t ran = 0;
  std::uint64_t threw = 0;    ///< Of those that ran.
  std::uint64_t skipped = 0;  ///< Abandoned before they began, under `if_abandoned::skip`.
  std::uint64_t refused = 0;  ///< Never accepted (full, stopped, no resource), or given up on later.
  std::uint64_t lost = 0;     ///< Refused after they were accepted, when nobody was left to be told.
};

/// How a blocking_pool stops.
enum class pool_stop : std::uint8_t {
  drain,    ///< What it has accepted is run.
  abandon,  ///< What has not begun gets UNAVAILABLE; what runs is awaited.
};

namespace detail {

/// The pool without its types: threads, and the queue in which jobs with one key wait for each other.
class blocking_threads {
 public:
  using resource = std::shared_ptr<void>;
  using factory = std::function<result<resource>()>;

  blocking_threads(factory make, blocking_pool_options options);
  ~blocking_threads() { stop(pool_stop::drain); }
  blocking_threads(const blocking_threads&) = delete;
  blocking_threads& operator=(const blocking_threads&) = delete;

  const char* name() const noexcept { return options_.name; }
  status submit(std::shared_ptr<blocking_job> job);
  void stop(pool_stop how) noexcept;
  blocking_pool_counters counters() const;
  std::size_t waiting() const;

 private:
  using line = std::list<std::shared_ptr<blocking_job>>;

  void serve() noexcept;
  result<resource> make() const noexcept;
  void run_jobs(std::unique_lock<std::mutex>& lock, void* resource);
  void run(line job, void* resource);
  line take_all();
  void refuse(line jobs, const status& why) noexcept;
  void log(const std::string& text) const;

  const factory make_;
  const blocking_pool_options options_;

  mutable std::mutex mutex_;                      // of all below but the threads
  std::condition_variable jobs_wanted_;           // by threads that have their resource
  std::condition_variable retry_;                 // those that have none
  line ready_;                                    // that any thread may take: at most one of each key
  std::unordered_map<std::uint64_t, line> keys_;  // of which one is ready or runs; what waits behind it
  std::size_t waiting_ = 0;                       // in `ready_` and behind keys
  int hopeful_;                                   // threads that have their resource, or have not failed yet
  status down_;                                   // why nobody is
  bool stopping_ = false;
  blocking_pool_counters counters_;

  std::vector<std::thread> threads_;
};

}  // namespace detail

/// A job of a blocking_pool that is submitted when it is awaited. See `blocking_pool::run`.
template <class R>
class [[nodiscard]] blocking_call {
 public:
  using value_type = result<R>;

  blocking_call(detail::blocking_threads& pool, std::shared_ptr<detail::blocking_job_of<R>> job,
                duration limit) noexcept
      : pool_{&pool}, job_{std::move(job)}, limit_{limit} {}
  blocking_call(blocking_call&&) noexcept = default;
  blocking_call& operator=(blocking_call&&) noexcept = default;
  ~blocking_call() {
#if WEFT_DEBUG
    if (job_ && std::uncaught_exceptions() == 0) detail::dropped_job_misuse();
#endif
  }

  /// Drops it on purpose: it never runs.
  void discard() noexcept { job_.reset(); }

  class awaiter final : detail::blocking_wait {
   public:
    awaiter(detail::blocking_threads& pool, std::shared_ptr<detail::blocking_job_of<R>> job, duration limit) noexcept
        : blocking_wait{pool, limit}, job_{std::move(job)} {}
    bool await_ready() const noexcept { return false; }
    template <task_promise_type P>
    WEFT_NOINLINE bool await_suspend(std::coroutine_handle<P> h) noexcept {
      return begin(job_, h, h.promise().ctx(), __builtin_return_address(0));
    }
    result<R> await_resume() {
      if (!early_.ok()) return std::move(early_);
      return job_->take();
    }

   private:
    std::shared_ptr<detail::blocking_job_of<R>> job_;
  };
  awaiter operator co_await() && noexcept { return {*pool_, std::move(job_), limit_}; }

 private:
  detail::blocking_threads* pool_;
  std::shared_ptr<detail::blocking_job_of<R>> job_;
  duration limit_;
};

/// Threads for work that blocks, such as database queries; each owns a T, such as a connection, made and destroyed there.
///
///     weft::blocking_pool<database> pool{[] { return database::open("players.db"); }, {.threads = 2}};
///     auto saved = co_await pool.run(player, [state](database& db) { return db.save(state); }, weft::within{2s});
///
/// The factory returns a T or a result<T>, or throws. While no thread has a T, because every factory has failed, calls get
/// UNAVAILABLE with the reason at once, those that wait too; each thread tries again after `retry_first`, then ever later.
/// A T that breaks later has to mend itself: the pool keeps it.
///
/// Any number of runtimes may use one pool, which must outlive the tasks that do: stop their runtimes first (farewell saves
/// run meanwhile), then the pool. `runtime::stop` does not wait for jobs whose callers have gone; the pool's `stop` does.
template <class T>
class blocking_pool {
 public:
  /// Starts the threads, each of which calls `make`, several at a time.
  template <class Factory>
    requires std::constructible_from<result<T>, std::invoke_result_t<Factory&>>
  explicit blocking_pool(Factory make, blocking_pool_options options = {})
      : threads_{[make = std::move(make)]() mutable -> result<std::shared_ptr<void>> {
                   result<T> made{make()};
                   if (!made.ok()) return made.status();
                   return std::shared_ptr<void>{std::make_shared<T>(*std::move(made))};
                 },
                 std::move(options)} {}
  /// Stops it by draining. Not on a worker.
  ~blocking_pool() = default;

  /// Runs `f(T&)`, an ordinary function that may block, on one of the threads: `co_await` yields a result of what it
  /// returns (a value, a result, a status, nothing), on the task's own strand. To start it now and await it later:
  /// `scope.start(pool.run(...))`. `f` is destroyed on either thread.
  ///
  /// Order: jobs with equal keys run in the order in which they were submitted, never two at a time; others side by side,
  /// and a key with many jobs takes turns with the rest. (Keys are told apart by their hash: two that share one share
  /// their order too.)
  /// Errors: RESOURCE_EXHAUSTED (so many wait already) and UNAVAILABLE (stopped, no resource), at once, without suspending,
  /// with `f` not run; UNKNOWN (`f` threw; the thread and its T live on).
  /// Cancel: on stop (CANCELLED) and at the deadline (DEADLINE_EXCEEDED) the wait ends at once, the job does not: what runs
  /// goes on, and what has not begun is run or not as `abandoned` says. The text of the error says which. A task that is
  /// stopped already submits nothing: wrap a farewell save in `shield`.
  template <class Key, class F>
    requires std::invocable<F&, T&>
  auto run(const Key& key, F f, call_options options = {}, if_abandoned abandoned = if_abandoned::run) {
    return submit_later(std::uint64_t{std::hash<Key>{}(key)}, std::move(f), options, abandoned);
  }
  /// The same without a key: in no order.
  template <class F>
    requires std::invocable<F&, T&>
  auto run(F f, call_options options = {}, if_abandoned abandoned = if_abandoned::run) {
    return submit_later(std::nullopt, std::move(f), options, abandoned);
  }

  /// No more jobs: they get UNAVAILABLE. Blocks until the threads have ended, and with them the jobs: for main(), not on a
  /// worker. Idempotent, from one thread.
  void stop(pool_stop how = pool_stop::drain) noexcept { threads_.stop(how); }

  /// Any thread, both.
  blocking_pool_counters counters() const { return threads_.counters(); }
  std::size_t waiting() const { return threads_.waiting(); }

 private:
  template <class F>
  auto submit_later(std::optional<std::uint64_t> key, F f, call_options options, if_abandoned abandoned) {
    using returned = std::remove_cvref_t<std::invoke_result_t<F&, T&>>;
    static_assert(is_result<returned> || !awaitable<returned>, "a job is a function that blocks, not a coroutine");
    using R = typename detail::blocking_value<returned>::type;
    return blocking_call<R>{
        threads_, std::make_shared<detail::blocking_function<T, F, R>>(std::move(f), key, abandoned), options.limit()};
  }

  detail::blocking_threads threads_;
};

}  // namespace weft
