#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <vector>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sync_wait.hpp>

// What does a call between two services of one process cost, and what the same with what others have?

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr int between = 1'000;  // calls of a caller between two looks at the clock

// Callers end on their own when the time is over, and say how many calls they have made.
class timed {
 public:
  explicit timed(const trial_options& o)
      : until_{began_ + std::chrono::round<clock::duration>(std::chrono::duration<double>{o.seconds})} {}
  bool over() const { return clock::now() >= until_; }
  void add(std::uint64_t calls) { calls_ += calls; }
  figures result() const {
    const double seconds = std::chrono::duration<double>(clock::now() - began_).count();
    const auto calls = static_cast<double>(calls_.load());
    return {{"calls_per_s", calls / seconds}, {"ns", seconds * 1e9 / calls}};
  }

 private:
  clock::time_point began_ = clock::now();
  clock::time_point until_;
  std::atomic<std::uint64_t> calls_{0};
};

void check(int reply, int n) {
  if (reply != n + 1) throw std::runtime_error{"a wrong reply"};
}

task<> weft_caller(service* to, timed* t) {
  std::uint64_t calls = 0;
  do {
    for (int i = 0; i < between; ++i) {
      auto add_one = [i] { return i + 1; };
      const auto reply = co_await to->call(add_one);
      check(*reply, i);
    }
    calls += between;
  } while (!t->over());
  t->add(calls);
}

task<> weft_callers(service* to, timed* t, int concurrency, scope& s) {
  for (int i = 0; i < concurrency; ++i) std::ignore = s.start(&weft_caller, to, t);
  co_return;
}

figures weft_local(const trial_options& o, int concurrency, int workers, duration spin) {
  runtime rt{{.workers = workers, .spin = spin}};
  service to{rt, {.name = "to", .worker = workers - 1, .mailbox = 100'000}};
  timed t{o};
  sync_wait(rt, with_scope(&weft_callers, &to, &t, concurrency));
  auto f = t.result();
  to.stop_and_wait();
  return f;
}

// Strands and awaitables of Asio, on one or two threads of one io_context.
namespace asio = boost::asio;
using asio_strand = asio::strand<asio::io_context::executor_type>;

asio::awaitable<int> asio_handler(int n) { co_return n + 1; }

asio::awaitable<void> asio_caller(asio_strand to, timed* t) {
  std::uint64_t calls = 0;
  do {
    for (int i = 0; i < between; ++i) check(co_await asio::co_spawn(to, asio_handler(i), asio::use_awaitable), i);
    calls += between;
  } while (!t->over());
  t->add(calls);
}

figures asio_local(const trial_options& o, int concurrency, int threads) {
  asio::io_context context{threads};
  const auto from = asio::make_strand(context), to = asio::make_strand(context);
  timed t{o};
  for (int i = 0; i < concurrency; ++i) asio::co_spawn(from, asio_caller(to, &t), asio::detached);
  {
    std::vector<std::jthread> pool;
    for (int i = 1; i < threads; ++i) pool.emplace_back([&] { context.run(); });
    context.run();
  }
  return t.result();
}

// A thread that takes commands from a queue, and callers that block until it has answered.
figures condition_variable_local(const trial_options& o, int concurrency) {
  struct command {
    int argument;
    int reply = 0;
    bool done = false;
    std::condition_variable answered{};
  };
  std::mutex mutex;
  std::condition_variable more;
  std::deque<command*> commands;
  std::jthread scheduler{[&](const std::stop_token& stop) {
    const std::stop_callback wake{stop, [&] {
                                    const std::scoped_lock held{mutex};
                                    more.notify_one();
                                  }};
    for (std::unique_lock held{mutex};;) {
      more.wait(held, [&] { return stop.stop_requested() || !commands.empty(); });
      if (commands.empty()) return;
      auto* c = commands.front();
      commands.pop_front();
      c->reply = c->argument + 1;
      c->done = true;
      c->answered.notify_one();
    }
  }};
  timed t{o};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < concurrency; ++i)
      callers.emplace_back([&] {
        std::uint64_t calls = 0;
        for (command c{0}; !t.over(); ++calls) {
          std::unique_lock held{mutex};
          c.argument = static_cast<int>(calls);
          c.done = false;
          commands.push_back(&c);
          more.notify_one();
          c.answered.wait(held, [&] { return c.done; });
          check(c.reply, c.argument);
        }
        t.add(calls);
      });
  }
  return t.result();
}

// No call at all: the state behind a lock, in the caller's thread.
figures mutex_local(const trial_options& o, int threads) {
  std::mutex mutex;
  volatile int state = 0;
  timed t{o};
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < threads; ++i)
      callers.emplace_back([&] {
        std::uint64_t calls = 0;
        do {
          for (int n = 0; n < between; ++n) {
            const std::scoped_lock held{mutex};
            state = state + 1;
          }
          calls += between;
        } while (!t.over());
        t.add(calls);
      });
  }
  return t.result();
}

}  // namespace

int run_local(std::span<char* const> arguments) {
  std::vector<trial> all;
  for (const int n : {1, 64}) {
    const auto outstanding = std::to_string(n);
    all.push_back({"weft local, one worker", false, n, [n](const auto& o) { return weft_local(o, n, 1, 0ns); }});
    all.push_back(
        {"weft local, two workers, spin 50 us", false, n, [n](const auto& o) { return weft_local(o, n, 2, 50us); }});
    all.push_back({"weft local, two workers", false, n, [n](const auto& o) { return weft_local(o, n, 2, 0ns); }});
    all.push_back({"Asio strands, one thread", true, n, [n](const auto& o) { return asio_local(o, n, 1); }});
    all.push_back({"Asio strands, two threads", true, n, [n](const auto& o) { return asio_local(o, n, 2); }});
    for (const auto* threads : {"1", "2"}) {
      const auto suffix = std::string{", "} + (*threads == '1' ? "one thread" : "two threads");
      all.push_back({"Go channels" + suffix,
                     true,
                     n,
                     {},
                     {peer_program("go-peer"), "local", "--threads", threads, "--concurrency", outstanding}});
      all.push_back({"CAF actors" + suffix,
                     true,
                     n,
                     {},
                     {peer_program("caf-peer"), "local", "--threads", threads, "--concurrency", outstanding}});
    }
    all.push_back({"Boost.Fiber channels, one thread",
                   true,
                   n,
                   {},
                   {peer_program("fiber-peer"), "local", "--concurrency", outstanding}});
    all.push_back(
        {"mutex and condition variable", true, n, [n](const auto& o) { return condition_variable_local(o, n); }});
  }
  all.push_back({"plain mutex, one thread", true, 1, [](const auto& o) { return mutex_local(o, 1); }});
  all.push_back({"plain mutex, two threads", true, 1, [](const auto& o) { return mutex_local(o, 2); }});
  return run_trials({.suite = "local",
                     .question = "Calls a second between two services of one process, 1 and 64 outstanding.",
                     .all = std::move(all),
                     .figure = "calls_per_s",
                     .rounds = 5,
                     .seconds = 0.7},
                    arguments);
}

}  // namespace weft::bench
