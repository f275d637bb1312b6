#pragma once
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/runtime/call.hpp>
#include <weft/runtime/doorway.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/service_call.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/task.hpp>
#include <weft/runtime/timer_wheel.hpp>

namespace weft {

// What its templates do is in local_call.hpp and ticket.hpp: include service.hpp, which has it all.

class ticket_base;
template <class R>
class ticket;
namespace detail {
template <class R>
class posted_call;
}

struct service_options {
  const char* name = "service";    ///< For dumps, logs, and the text of errors; must outlive the service.
  int worker = -1;                 ///< Home worker of its own strand; -1: the one that polls I/O.
  weft::strand* strand = nullptr;  ///< Share this strand instead; it must outlive the service.
  weft::reentrancy reentrancy = weft::reentrancy::interleaved;  ///< Of methods that are not told otherwise.
  std::uint32_t mailbox = 1'024;             ///< Calls that may wait; one more gets RESOURCE_EXHAUSTED.
  std::size_t mailbox_bytes = 64ULL << 20U;  ///< Bytes of requests that may wait, where their size is known.
  std::uint32_t running = 65'536;            ///< Handlers that may be in progress; further calls wait in the mailbox.
  std::uint32_t tickets = 1'024;             ///< Tickets that can be asked for by number after they are done.
};

struct service_counters {
  std::uint64_t started = 0;     ///< Handlers started.
  std::uint64_t refused = 0;     ///< Full, retiring or stopped.
  std::uint64_t expired = 0;     ///< Deadline passed in the mailbox: never ran.
  std::uint64_t abandoned = 0;   ///< Caller went while the call was in the mailbox: never ran.
  std::uint64_t threw = 0;       ///< Handlers that ended by an exception.
  std::uint64_t reentered = 0;   ///< Exclusive handlers let in below the one that awaits them.
  std::uint64_t deadlocked = 0;  ///< Calls that would have closed a cycle of waits: ABORTED.
  std::uint64_t ticks = 0;       ///< Calls of `on_tick`.
};

/// How a service stops.
enum class stop_mode : std::uint8_t {
  drain,  ///< What it has accepted is finished, new calls get UNAVAILABLE.
  abort,  ///< What waits gets UNAVAILABLE, handlers are stopped; both are awaited.
};

/// State with a strand of its own: its handlers run one at a time between two suspensions, so they need no locks.
///
/// Calls come in by `call`, `post`, `send`, generated clients, or the network; they wait in a bounded mailbox and start in
/// order of arrival. An exception that leaves a handler ends that call with UNKNOWN and is logged; the service lives on.
/// Stop it, by `stop`, `retire` or `stop_and_wait`, before it is destroyed; destroying one that has calls is a misuse.
///
/// Order and exclusion, by service or by method (`reentrancy`): an exclusive handler starts when no other exclusive one is
/// in progress; an interleaved one starts at once. While an exclusive handler awaits a call, calls that descend from that
/// call are let back in, one at a time: a table that asks the wallet may be asked by the wallet. What was sent, spawned or
/// run in a lane does not descend. A call that would wait for its own caller otherwise (A waits for B waits for A) is
/// ABORTED at once with the path, where all of it is on one worker and each waits for one thing; else its deadline ends it.
class service {
 public:
  explicit service(runtime& rt, service_options options = {});
  virtual ~service();
  service(const service&) = delete;
  service& operator=(const service&) = delete;

  const char* name() const noexcept { return options_.name; }
  weft::strand& strand() const noexcept { return *strand_; }
  runtime& owner() const noexcept { return owner_; }
  const service_counters& counters() const noexcept { return counters_; }
  std::size_t waiting() const noexcept { return mailbox_.size(); }
  std::size_t running() const noexcept { return running_; }
  /// On the strand: no new work is taken, what there is plays out.
  bool retiring() const noexcept { return retiring_; }

  /// Runs `f` as a handler of this service: `auto n = co_await table.call([&] { return table.seats; })`. `f` may return a
  /// value, a result, or a task of one; from any strand.
  template <class F>
  auto call(F f, call_options options = {});
  /// The same, one way. A refusal that is known at once is returned.
  template <class F>
  status send(F f, call_options options = {}) {
    return call(std::move(f), options).send();
  }
  /// The same, with a ticket to await it by, later, by whoever holds a copy: see `ticket`. On a worker. It carries no
  /// annotations: it is the service's own work from here on.
  template <class F>
  auto post(F f, call_options options = {});
  /// The value of the ticket with this number, `R` being the value it yields (for a function
  /// that returns `result<int>` or `reply<int>`: `wait<int>(n)`). Yields what the ticket
  /// does; NOT_FOUND when there is no such ticket or it is too long done (`service_options::tickets`), INVALID_ARGUMENT when
  /// its value is no R.
  template <class R>
  weft::call<R> wait(std::uint64_t serial, call_options options = within{duration::max()});

  /// Starts `f(args...)`, a coroutine, as the service's own task: it runs beside the handlers until it ends or the service
  /// stops, which stops and awaits it after the last handler. Copies what it is given. Any thread. Logged when it does not
  /// start since the service or the runtime has ended. `name` is what dumps call it: a literal.
  template <class F, class... Args>
    requires std::invocable<F&, Args&&...>
  void start(const char* name, F f, Args... args);
  template <class F, class... Args>
    requires std::invocable<F&, Args&&...>
  void start(F f, Args... args) {
    start("own task", std::move(f), std::move(args)...);
  }

  /// Calls `on_tick` on the strand every `period` from now on, until the service has stopped; zero ends it. Any thread, once
  /// the object is fully made.
  ///
  /// Ticks lie on a grid of `period`. One that is late is not made up for: the next call gets the whole time since the last
  /// as `dt`, and goes on on the grid. On its strand a tick goes before calls, so a flood does not hold it up.
  void tick_every(duration period);

  /// Ends when the last handler has ended; may be awaited from any strand but not from a handler of this service.
  /// Cancel: a stopped task stops the service and waits all the same, since the service may be destroyed afterwards.
  task<> stop(stop_mode mode = stop_mode::drain);
  /// For a deploy: takes no new work (UNAVAILABLE, except for what `plays_on` lets in), lets what is in progress play out
  /// until `played_out`, at most for `limit`, runs `snapshot`, and stops. True when it had played out. `stop` meanwhile cuts the wait short.
  task<bool> retire(duration limit);
  /// For main(): blocks until it has stopped.
  void stop_and_wait(stop_mode mode = stop_mode::drain);

  /// Hands `c` to this service, from any thread. When the caller is on the service's worker, a refusal is returned and `c`
  /// stays the caller's; otherwise it arrives as `refused`.
  status submit(service_call& c) noexcept;

 protected:
  /// This method's own mode, whatever the service's is. `method` is the path of a generated method
  /// (`Cards::Look_info.path`). In the constructor.
  void set_reentrancy(const char* method, weft::reentrancy mode) { modes_.emplace_back(method, mode); }

  /// On the strand, between handlers; `dt` is the time since the last tick. Must not throw.
  virtual void on_tick(duration dt);
  /// While it retires: whether calls of this method are still taken, because what is in progress needs them. Asked on the
  /// service's worker, between entries of its strand.
  virtual bool plays_on(std::string_view method) const;
  /// While it retires: whether nothing is in progress any more. Asked after each handler, own task and tick.
  virtual bool played_out() const;
  /// The last thing before a retiring service stops: saves what has to outlive it. No handler runs. Stopped at the limit.
  virtual task<> snapshot();

  /// The log lines of this service, its handlers and its own tasks carry this field: see `weft::annotate`. In the
  /// constructor.
  void annotate(const char* key, std::string value) {
    tasks_.annotate(key, value);
    handlers_.annotate(key, std::move(value));
  }

  /// Debug builds: ends the process when the caller is not on this service's strand, naming both.
  void assert_here() const noexcept;

 private:
  friend service_call;
  friend worker;
  template <class R>
  friend class local_call;
  friend ticket_base;
  template <class R>
  friend class detail::posted_call;

  struct start_more final : work {
    explicit start_more(service& s) noexcept : to{s} {}
    void run() noexcept override { to.start_waiting(); }
    work_label label() const noexcept override { return {to.name(), "start waiting"}; }
    service& to;
    bool queued = false;
  };
  class ticker;

  reentrancy mode_of(const service_call& c) const noexcept;
  status admit(const service_call& c) noexcept;
  status look_closer(const service_call& c) noexcept;
  status too_late(const service_call& c) noexcept;
  std::uint32_t& arriving(const service_call& c) noexcept;
  void drop_abandoned() noexcept;
  void arrived(service_call& c) noexcept;
  bool can_start(const service_call& c) const noexcept;
  bool goes_before_waiting(const service_call& c) const noexcept;
  void enqueue(service_call& c) noexcept;
  void report_mailbox() noexcept;
  void dequeue(std::deque<service_call*>::iterator at) noexcept;
  void start(service_call& c) noexcept;
  void refuse(service_call& c, status why) noexcept;
  void queue_start_more() noexcept;
  void start_waiting() noexcept;
  void handler_ended(service_call& c, const std::exception_ptr& thrown) noexcept;
  const context* blocker_of(const service_call& c) const noexcept;
  void begin_stop(stop_mode mode) noexcept;
  task<> finish_stop(stop_mode mode);
  task<bool> finish_retire(duration limit);
  template <class F>
  auto as_kind(service_call::kind k, const char* name, F f, call_options options);
  void came_in() noexcept;
  void tell_progress() noexcept;
  void log_not_started(const status& why) const noexcept;
  void refuse_own_stop(const context& caller) const noexcept;
  bool on_home() const noexcept;
  status stopped_error() const;

  std::uint64_t next_serial() noexcept { return 1 + serials_.fetch_add(1, std::memory_order_relaxed); }
  void keep(std::shared_ptr<ticket_base> t);
  void ticket_done(std::uint64_t serial) noexcept;
  template <class R>
  reply<R> outcome_of(std::uint64_t serial);
  std::shared_ptr<ticket_base> find_ticket(std::uint64_t serial) const noexcept;

  runtime& owner_;
  service_options options_;
  const std::shared_ptr<doorway> doorway_ = std::make_shared<doorway>();
  std::unique_ptr<weft::strand> own_strand_;
  weft::strand* strand_;
  context handlers_;  // parents of the running handlers and of the service's own tasks; in the tree while there are any
  context tasks_;
  std::vector<std::pair<const char*, weft::reentrancy>> modes_;  // of single methods
  std::deque<service_call*> mailbox_;
  std::size_t report_at_;  // so many waiting are reported next
  std::size_t waiting_bytes_ = 0;
  std::uint32_t waiting_interleaved_ = 0;
  std::uint32_t waiting_descendants_ = 0;  // calls with a lineage
  std::vector<service_call*> exclusive_;   // exclusive handlers in progress: each descends from the one before
  std::uint64_t exclusive_started_ = 0;
  std::uint32_t abandoned_waiting_ = 0;
  std::uint32_t arriving_ = 0;      // calls that were admitted on this worker, on their way through the strand's queue
  std::uint32_t arriving_own_ = 0;  // what is not limited
  std::uint32_t running_ = 0;
  std::uint32_t own_tasks_ = 0;
  std::uint32_t observers_ = 0;
  bool retiring_ = false;
  bool stopping_ = false;
  bool aborting_ = false;
  start_more start_more_{*this};
  event played_out_;
  event stopped_;
  std::unique_ptr<ticker> ticker_;
  // Numbers tickets where they are posted, on any worker, so that those of one poster are in its order.
  std::atomic<std::uint64_t> serials_{0};
  std::map<std::uint64_t, std::shared_ptr<ticket_base>> tickets_;  // on the strand: those in progress and the last done
  std::deque<std::uint64_t> tickets_done_;
  service_counters counters_;
  service* next_here_ = nullptr;  // in the list of its worker's services
  service* previous_here_ = nullptr;
};

template <class F>
void worker::for_each_service(F f) const {
  std::lock_guard lock{services_mutex_};
  for (const auto* s = services_; s != nullptr; s = s->next_here_) f(*s);
}

}  // namespace weft
