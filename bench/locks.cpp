#include <atomic>
#include <latch>
#include <memory>
#include <mutex>
#include <thread>
#include <tuple>
#include <vector>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/trials.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>

// R16: one routine or a lock? Critical sections of some length, from one thread and from two, over a strand or behind a
// mutex, over one or 16 shards; and with an await inside.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr int callers_a_worker = 32;
constexpr int between = 64;  // sections of a caller between two looks at the clock
constexpr int many_shards = 16;

// The time inside a section. 0 is a counter only.
void section(int ns, std::uint64_t& state) {
  ++state;
  if (ns == 0) return;
  const auto until = clock::now() + std::chrono::nanoseconds{ns};
  while (clock::now() < until) {
  }
}

struct alignas(64) shard {
  std::mutex lock;
  std::uint64_t state = 0;
};

struct race_time {
  explicit race_time(const trial_options& o)
      : until{began + std::chrono::round<clock::duration>(std::chrono::duration<double>{o.seconds})} {}
  clock::time_point began = clock::now();
  clock::time_point until;
  std::atomic<std::uint64_t> sections{0};

  bool over() const { return clock::now() >= until; }
  /// Of sections that ended, in the time that they all took.
  double per_second() const {
    return static_cast<double>(sections) / std::chrono::duration<double>(clock::now() - began).count();
  }
  figures result(std::uint64_t counted) const {
    if (counted != sections) throw std::runtime_error{"sections were lost: they did not exclude each other"};
    const double ns = std::chrono::duration<double, std::nano>(clock::now() - began).count();
    return {{"ns", ns / static_cast<double>(counted)}, {"sections_per_s", static_cast<double>(counted) * 1e9 / ns}};
  }
};

figures by_mutex(const trial_options& o, int threads, int shards, int ns) {
  std::vector<shard> all(static_cast<std::size_t>(shards));
  race_time t{o};
  {
    std::vector<std::jthread> pool;
    for (int i = 0; i < threads; ++i)
      pool.emplace_back([&, i] {
        std::uint64_t n = 0;
        for (auto next = static_cast<std::size_t>(i); !t.over();) {
          for (int k = 0; k < between; ++k, ++n, next += 7) {
            auto& one = all[next % all.size()];
            const std::scoped_lock held{one.lock};
            section(ns, one.state);
          }
        }
        t.sections += n;
      });
  }
  std::uint64_t counted = 0;
  for (const auto& one : all) counted += one.state;
  return t.result(counted);
}

struct strand_shard {
  std::unique_ptr<service> home;
  std::uint64_t state = 0;
};

task<> strand_caller(std::vector<strand_shard>* all, std::size_t next, int ns, race_time* t) {
  std::uint64_t n = 0;
  while (!t->over()) {
    for (int k = 0; k < between; ++k, ++n, next += 7) {
      auto& one = (*all)[next % all->size()];
      auto inside = [ns, &one] {
        section(ns, one.state);
        return 0;
      };
      const auto reply = co_await one.home->call(inside, within{60s});
      if (!reply.ok()) throw std::runtime_error{reply.status().to_string()};
    }
  }
  t->sections += n;
}

task<> strand_callers(std::vector<strand_shard>* all, int ns, race_time* t, scope& s) {
  for (int i = 0; i < callers_a_worker; ++i)
    std::ignore = s.start(&strand_caller, all, static_cast<std::size_t>(i), ns, t);
  co_return;
}

task<> strand_callers_until_end(std::vector<strand_shard>* all, int ns, race_time* t, std::latch* ended) {
  co_await with_scope(&strand_callers, all, ns, t);
  ended->count_down();
}

figures by_strand(const trial_options& o, int threads, int shards, int ns) {
  runtime rt{{.workers = threads}};
  std::vector<strand_shard> all(static_cast<std::size_t>(shards));
  for (int i = 0; i < shards; ++i)
    all[static_cast<std::size_t>(i)].home =
        std::make_unique<service>(rt, service_options{.name = "shard", .worker = i % threads, .mailbox = 100'000});
  race_time t{o};
  // Callers live on every worker, as handlers of other services would.
  std::vector<std::unique_ptr<strand>> homes;
  std::latch ended{threads};
  for (int i = 0; i < threads; ++i) {
    homes.push_back(std::make_unique<strand>(rt, strand_options{.worker = i}));
    spawn(*homes.back(), "callers", &strand_callers_until_end, &all, ns, &t, &ended);
  }
  ended.wait();
  for (auto& one : all) one.home->stop_and_wait();
  std::uint64_t counted = 0;
  for (const auto& one : all) counted += one.state;
  auto f = t.result(counted);
  rt.stop();
  return f;
}

// An await of a millisecond inside the section.
task<status> await_inside() { co_return co_await sleep_for(1ms); }

task<> awaiting_caller(service* to, race_time* t) {
  while (!t->over()) {
    const auto reply = co_await to->call(&await_inside, within{60s});
    if (reply.ok()) ++t->sections;
  }
}
task<> awaiting_callers(service* to, race_time* t, scope& s) {
  for (int i = 0; i < callers_a_worker; ++i) std::ignore = s.start(&awaiting_caller, to, t);
  co_return;
}
figures await_in_service(const trial_options& o, reentrancy r) {
  runtime rt;
  service to{rt, {.name = "to", .reentrancy = r}};
  race_time t{o};
  sync_wait(rt, with_scope(&awaiting_callers, &to, &t));
  to.stop_and_wait();
  return {{"calls_per_s", t.per_second()}};
}
figures await_in_mutex(const trial_options& o) {
  std::mutex lock;
  race_time t{o};
  {
    std::vector<std::jthread> pool;
    for (int i = 0; i < callers_a_worker; ++i)
      pool.emplace_back([&] {
        while (!t.over()) {
          const std::scoped_lock held{lock};
          std::this_thread::sleep_for(1ms);  // a blocking call to another server
          ++t.sections;
        }
      });
  }
  return {{"calls_per_s", t.per_second()}};
}

}  // namespace

int run_locks(std::span<char* const> arguments) {
  std::vector<trial> all;
  for (const int ns : {0, 100, 1'000, 10'000})
    for (const int threads : {1, 2}) {
      const std::string suffix = threads == 1 ? ", one thread" : ", two threads";
      all.push_back({"weft strand" + suffix, false, ns, [=](const auto& o) { return by_strand(o, threads, 1, ns); }});
      all.push_back({"weft, 16 strands" + suffix, false, ns,
                     [=](const auto& o) { return by_strand(o, threads, many_shards, ns); }});
      all.push_back({"mutex" + suffix, true, ns, [=](const auto& o) { return by_mutex(o, threads, 1, ns); }});
      all.push_back(
          {"16 mutexes" + suffix, true, ns, [=](const auto& o) { return by_mutex(o, threads, many_shards, ns); }});
    }
  all.push_back({"await 1 ms inside: exclusive service", false, 1'000'000,
                 [](const auto& o) { return await_in_service(o, reentrancy::exclusive); }});
  all.push_back({"await 1 ms inside: interleaved service", false, 1'000'000,
                 [](const auto& o) { return await_in_service(o, reentrancy::interleaved); }});
  all.push_back({"await 1 ms inside: mutex held, 32 threads", true, 1'000'000, await_in_mutex});
  return run_trials({.suite = "locks",
                     .question = "Nanoseconds a critical section, all told, by its length. (R16)",
                     .all = std::move(all),
                     .figure = "ns",
                     .rounds = 3,
                     .seconds = 0.4,
                     .quick_seconds = 0.1},
                    arguments);
}

}  // namespace weft::bench
