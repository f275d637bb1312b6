#include <doctest/doctest.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <weft/runtime/audience.hpp>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/callback.hpp>
#include <weft/runtime/dump.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/lane.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/resume_on.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/schedulable.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/ending.hpp"

using namespace std::chrono_literals;

using test::check_misuse;

namespace {

weft::task<> nothing() { co_return; }

struct bank : weft::service {
  explicit bank(weft::runtime& rt) : service{rt, {.name = "bank"}} {}
  void touch() const noexcept { assert_here(); }
};

// Runs `f` on the control strand.
void on_worker(weft::runtime& rt, void (*f)(weft::runtime&)) {
  weft::sync_wait(rt, [](weft::runtime* rt, void (*f)(weft::runtime&)) -> weft::task<> {
    f(*rt);
    co_return;
  }(&rt, f));
}

}  // namespace

TEST_SUITE("misuse") {
  TEST_CASE("sync_wait on a worker says to await instead") {
    check_misuse(
        [] {
          weft::runtime rt;
          on_worker(rt, [](weft::runtime& rt) { weft::sync_wait(rt, nothing()); });
        },
        "sync_wait was called on a worker, which it would block: co_await the task instead");
  }

  TEST_CASE("sync_wait on a runtime that was stopped says to keep it") {
    check_misuse(
        [] {
          weft::runtime rt;
          rt.stop();
          weft::sync_wait(rt, nothing());
        },
        "sync_wait on a runtime that was stopped: keep the runtime until the end");
  }

#if WEFT_DEBUG
  TEST_CASE("a task dropped without having run says what to do with it") {
    check_misuse([] { auto never_run = nothing(); },
                 "a task was dropped without having run: co_await it, start it in a scope, or discard() it");
  }

  TEST_CASE("a call dropped without having begun says what to do with it") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          bank b{rt};
          auto never_begun = b.call([] {});
        },
        "a call was dropped without having begun: co_await it, start it in a scope, or send it");
  }

  TEST_CASE("state of a service touched from another strand names the service and the strand") {
    check_misuse(
        [] {
          weft::runtime rt;
          bank b{rt};
          weft::sync_wait(rt, [](bank* b) -> weft::task<> {
            b->touch();
            co_return;
          }(&b));
        },
        "state of service 'bank' was touched from strand 'control': use call, post or send");
  }

  TEST_CASE("state of a service touched from a thread that is no worker names the service and says so") {
    check_misuse(
        [] {
          weft::runtime rt;
          bank b{rt};
          b.touch();
        },
        "state of service 'bank' was touched from a thread without a strand: use call, post or send");
  }
#endif

  TEST_CASE("signals destroyed while a task waits for one say to end the task first") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          weft::io net;
          weft::signals watch{net, {SIGUSR1}};
          weft::spawn(
              rt.control(), "waiter", [](weft::signals* w) -> weft::task<> { std::ignore = co_await w->next(); },
              &watch);
          rt.pump(1h);
          watch.~signals();
        },
        "signals were destroyed while a task waits for one: end the task first");
  }

  TEST_CASE("a service destroyed with a call in progress says to stop it first") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          auto b = std::make_unique<bank>(rt);
          weft::spawn(
              rt.control(), "caller",
              [](bank* b) -> weft::task<> {
                std::ignore = co_await b->call([]() -> weft::task<> { std::ignore = co_await weft::sleep_for(1h); });
              },
              b.get());
          rt.pump(1h);
          b.reset();
        },
        "service 'bank' was destroyed with 1 calls and tasks running and 0 waiting: stop it first");
  }

  TEST_CASE("a one-way call from a thread that is no worker says to post") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          bank b{rt};
          std::ignore = b.send([] {});
        },
        "a one-way call was sent from a thread that is no worker: post to a strand first");
  }

  TEST_CASE("pump on a runtime with threads says how to make one without") {
    check_misuse(
        [] {
          weft::runtime rt;
          rt.pump(1h);
        },
        "runtime::pump was called on a runtime with threads: make it with workers = 0");
  }

  TEST_CASE("pump in a task of the same runtime says to return instead") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          on_worker(rt, [](weft::runtime& rt) { rt.pump(); });
        },
        "runtime::pump was called in something that it runs: return to it instead");
  }

  TEST_CASE("a worker index out of range says how many workers there are") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          weft::strand s{rt, {.worker = 1}};
        },
        "worker 1 was asked for, but the runtime has 1");
  }

  TEST_CASE("a negative number of workers says what the numbers mean") {
    check_misuse([] { weft::runtime rt{{.workers = -1}}; },
                 "runtime_options::workers is negative: 0 means pumped, n means n threads");
  }

  TEST_CASE("runtime::stop on a worker says where to call it") {
    check_misuse(
        [] {
          weft::runtime rt;
          on_worker(rt, [](weft::runtime& rt) { rt.stop(); });
        },
        "runtime::stop (or ~runtime) was called on one of its workers: call it on the thread that made the runtime");
  }

  TEST_CASE("a dump of the whole runtime on a worker says what to call there") {
    check_misuse(
        [] {
          weft::runtime rt;
          on_worker(rt, [](weft::runtime& rt) { std::ignore = weft::dump(rt); });
        },
        "snapshot or dump of a runtime was called on a worker, which it would block: use snapshot_here or dump_here");
  }

  TEST_CASE("an event destroyed with a waiter says to end the task first") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          auto e = std::make_unique<weft::event>();
          weft::spawn(
              rt.control(), "waiter", [](weft::event* e) -> weft::task<> { std::ignore = co_await e->wait(); },
              e.get());
          rt.pump(1h);
          e.reset();
        },
        "an event, queue or mutex was destroyed while a task waits in it: end the task first");
  }

  TEST_CASE("a queue destroyed with a waiter says to end the task first") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          auto q = std::make_unique<weft::queue<int>>(1);
          weft::spawn(
              rt.control(), "waiter", [](weft::queue<int>* q) -> weft::task<> { std::ignore = co_await q->pop(); },
              q.get());
          rt.pump(1h);
          q.reset();
        },
        "an event, queue or mutex was destroyed while a task waits in it: end the task first");
  }

  TEST_CASE("a lane of width 0 says that nothing would run in it") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          weft::sync_wait(rt, weft::with_scope([](weft::scope& s) -> weft::task<> {
                            weft::lane l{s, {.width = 0, .name = "chat lane"}};
                            co_return;
                          }));
        },
        "chat lane has width 0, so no job would ever run: give it at least 1");
  }

  TEST_CASE("a callback invoked off its worker says to post first") {
    check_misuse(
        [] {
          weft::runtime rt;
          std::ignore = weft::sync_wait(
              rt, weft::with_callback([](weft::callback<> done) { std::thread{[&done] { done(); }}.join(); }));
        },
        "a callback was invoked off the worker of the task that waits for it: post to its strand first");
  }

  TEST_CASE("a strand destroyed with work queued says to stop what uses it") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          on_worker(rt, [](weft::runtime& rt) {
            weft::strand s{rt, {.name = "room"}};
            std::ignore = s.try_post([] {});
          });
        },
        "strand 'room' was destroyed with work queued: stop what uses it and wait first");
  }

  TEST_CASE("a strand destroyed on a worker that is not its home says where it belongs") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 2}};
          on_worker(rt, [](weft::runtime& rt) { weft::strand s{rt, {.name = "room", .worker = 1}}; });
        },
        "strand 'room' was destroyed on a worker that is not its home: destroy it on its own");
  }

  TEST_CASE("resume_on in a task with relatives says what to use instead") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          weft::strand there{rt};
          weft::sync_wait(rt, weft::with_scope([](weft::strand* there,
                                                  weft::scope&) -> weft::task<> { co_await weft::resume_on(*there); },
                                               &there));
        },
        "resume_on in a task that has relatives on its strand (a scope, a handler, when_all): use service.call(f)");
  }

#if WEFT_DEBUG
  TEST_CASE("a job of a blocking_pool that is never awaited says what to do with it") {
    check_misuse(
        [] {
          weft::blocking_pool<int> pool{[] { return 1; }};
          std::ignore = pool.run([](int&) {});
        },
        "a job of a blocking_pool was dropped without having been submitted: co_await it, or start it in a scope");
  }
#endif

  TEST_CASE("a blocking_pool that is stopped on a worker says where to stop it") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          on_worker(rt, [](weft::runtime&) { weft::blocking_pool<int> pool{[] { return 1; }}; });
        },
        "blocking_pool::stop (or ~blocking_pool) was called on a worker, which it would block: call it in main()");
  }

  TEST_CASE("a blocking_pool without threads says what it needs") {
    check_misuse([] { weft::blocking_pool<int> pool{[] { return 1; }, {.threads = 0}}; },
                 "blocking_pool_options: a pool needs a thread, and room for a job that waits");
  }

  TEST_CASE("a fair_scheduler that is misused says how") {
    struct never {
      bool ready() const { return false; }
      void run_one() {}
      void when_ready(weft::ready_signal) {}
    };
    check_misuse(
        [] {
          never q;
          weft::fair_scheduler s;
          auto seat = s.join(q, 0);
        },
        "a queue joined a fair_scheduler with weight 0: it would never get a turn");
    check_misuse(
        [] {
          never q;
          auto s = std::make_unique<weft::fair_scheduler>();
          auto seat = s->join(q);
          s.reset();
        },
        "a fair_scheduler was destroyed with queues in it: destroy their seats first");
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          auto s = std::make_unique<weft::fair_scheduler>();
          const auto run = [](weft::fair_scheduler* of) -> weft::task<> { co_await of->run(); };
          std::ignore = weft::spawn(rt.control(), "scheduler", run, s.get());
          rt.pump(1h);
          s.reset();
        },
        "a fair_scheduler was destroyed while it runs: stop the task that awaits run() first");
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          weft::fair_scheduler s;
          const auto run = [](weft::fair_scheduler* of) -> weft::task<> { co_await of->run(); };
          std::ignore = weft::spawn(rt.control(), "scheduler", run, &s);
          std::ignore = weft::spawn(rt.control(), "scheduler", run, &s);
          rt.pump(1h);
        },
        "fair_scheduler::run was called twice at a time: it gives turns on one strand");
  }

  TEST_CASE("a receiver that changes its audience while that sends is told what it may do") {
    struct leaver {
      weft::status send(weft::shared_bytes) {
        seat.leave();
        return {};
      }
      weft::membership seat;
    };
    check_misuse(
        [] {
          weft::audience room;
          leaver l;
          l.seat = room.join(l);
          room.send("go");
        },
        "an audience was used while it sends: a receiver's send puts the event away and does no more");
  }

  TEST_CASE("a service in which no handler could run is refused") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          weft::service s{rt, {.name = "idle", .running = 0}};
        },
        "service 'idle': with running = 0 no handler ever runs");
  }

  TEST_CASE("a handler that stops its own service and waits for that is named") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 0}};
          weft::service s{rt, {.name = "table"}};
          const auto close = [&s] { return s.stop(); };
          weft::sync_wait(rt, [](weft::service* s, auto close) -> weft::task<> {
            std::ignore = co_await s->call(close);
          }(&s, close));
        },
        "service 'table' is stopped by 'function', a handler or task of its own, for which that would wait: send the "
        "stop, "
        "or stop it from outside");
  }

  TEST_CASE("a service that is destroyed before or while its own task runs is named") {
    const auto e = test::end_of([] {
      weft::runtime rt{{.workers = 1}};
      weft::service s{rt, {.name = "brief"}};
      s.start([]() -> weft::task<> { std::ignore = co_await weft::sleep_for(1h); });
    });
    CHECK(e.signal == SIGABRT);
    const std::string begun = "with 1 calls and tasks running and 0 waiting";
    const std::string not_begun = "with 0 calls and tasks running and 1 waiting";
    CHECK_MESSAGE((e.said == "weft: misuse: service 'brief' was destroyed " + begun + ": stop it first\n" ||
                   e.said == "weft: misuse: service 'brief' was destroyed " + not_begun + ": stop it first\n"),
                  e.said);
  }

#if WEFT_DEBUG
  TEST_CASE("an event that is set on another worker than its waiters' is named with both") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 2}};
          weft::service far{rt, {.name = "far", .worker = 1}};
          weft::event e;
          weft::sync_wait(rt, weft::with_scope(
                                  [](weft::event* e, weft::service* far, weft::scope& s) -> weft::task<> {
                                    std::ignore = s.start(e->wait(), "waiter");
                                    co_await weft::yield{};
                                    std::ignore = co_await far->call([e] { e->set(); });
                                  },
                                  &e, &far));
        },
        "event of task 'waiter' on strand 'control', which belongs to worker 0, was used from worker 1: post to the "
        "strand");
  }

  TEST_CASE("a scope that is used on another worker is named with both") {
    check_misuse(
        [] {
          weft::runtime rt{{.workers = 2}};
          weft::service far{rt, {.name = "far", .worker = 1}};
          weft::sync_wait(rt, weft::with_scope(
                                  [](weft::service* far, weft::scope& s) -> weft::task<> {
                                    std::ignore = co_await far->call([&s] { std::ignore = s.start(nothing()); });
                                  },
                                  &far));
        },
        "the scope of task 'scope' on strand 'control', which belongs to worker 0, was used from worker 1: post to the "
        "strand");
  }
#endif
}
