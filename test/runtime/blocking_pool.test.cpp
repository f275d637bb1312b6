#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>
#include <weft/runtime/blocking_pool.hpp>
#include <weft/runtime/limit.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/queue.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/select.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

struct database {
  std::thread::id made_on = std::this_thread::get_id();
};

using pool = weft::blocking_pool<database>;

database open() { return {}; }

std::function<void(std::string_view)> silent() {
  return [](std::string_view) {};
}

// Keeps the pool's only thread busy until it is opened.
struct gate {
  std::latch begun{1};
  std::latch opened{1};

  auto blocks() {
    return [this](database&) {
      begun.count_down();
      opened.wait();
    };
  }
};

weft::task<> slow(weft::duration d) { std::ignore = co_await weft::sleep_for(d); }

}  // namespace

TEST_SUITE("blocking_pool") {
  TEST_CASE("a function runs on a thread of the pool with that thread's resource; its task resumes on its own strand") {
    weft::runtime rt;
    pool p{open, {.threads = 2}};
    const auto right = weft::sync_wait(rt, [](weft::runtime* rt, pool* p) -> weft::task<bool> {
      const auto worker = std::this_thread::get_id();
      const auto made_on = co_await p->run([](database& db) {
        CHECK(db.made_on == std::this_thread::get_id());
        return db.made_on;
      });
      CHECK(made_on.ok());
      co_return rt->control().running_here() && std::this_thread::get_id() == worker && *made_on != worker;
    }(&rt, &p));
    CHECK(right);
  }

  TEST_CASE("a function may return nothing, a value that only moves, a status, or a result") {
    weft::runtime rt;
    pool p{open, {.threads = 1}};
    weft::sync_wait(rt, [](pool* p) -> weft::task<> {
      const auto nothing = co_await p->run([](database&) {});
      CHECK(nothing.ok());
      auto moved = co_await p->run([](database&) { return std::make_unique<int>(3); });
      CHECK(**moved == 3);
      const auto fine = co_await p->run([](database&) { return weft::status{}; });
      CHECK(fine.ok());
      const auto bad = co_await p->run([](database&) { return weft::not_found("no such player"); });
      CHECK(bad.status() == weft::not_found("no such player"));
      const auto value = co_await p->run([](database&) { return weft::result<int>{4}; });
      CHECK(*value == 4);
      const auto none = co_await p->run([](database&) -> weft::result<int> { return weft::aborted("locked"); });
      CHECK(none.code() == weft::code::aborted);
    }(&p));
  }

  TEST_CASE("a resource that only moves, or that its factory could not make at first, will do") {
    weft::runtime rt;
    std::atomic<int> attempts{0};
    std::latch refused{1};
    weft::blocking_pool<std::unique_ptr<int>> p{[&]() -> weft::result<std::unique_ptr<int>> {
                                                  if (attempts++ == 0) return weft::unavailable("no database yet");
                                                  refused.wait();
                                                  return std::make_unique<int>(5);
                                                },
                                                {.name = "db", .threads = 1, .retry_first = 1ms, .log = silent()}};
    while (attempts == 0) std::this_thread::yield();
    weft::sync_wait(rt, [](auto* p, std::latch* refused) -> weft::task<> {
      const auto get = [](std::unique_ptr<int>& n) { return *n; };
      auto first = co_await p->run(get);  // it was accepted before the failure, or comes after it
      CHECK(first.status() == weft::unavailable("blocking pool 'db': no database yet"));
      refused->count_down();
      for (;;) {
        auto next = co_await p->run(get);
        if (!next.ok()) continue;
        CHECK(*next == 5);
        break;
      }
    }(&p, &refused));
  }

  TEST_CASE("a factory that throws is reported to the callers, and tried again") {
    weft::runtime rt;
    std::atomic<bool> up{false};
    pool p{[&up]() -> database {
             if (!up) throw std::runtime_error{"connection refused"};
             return {};
           },
           {.name = "db", .threads = 2, .retry_first = 1ms, .retry_most = 2ms, .log = silent()}};
    weft::sync_wait(rt, [](pool* p, std::atomic<bool>* up) -> weft::task<> {
      auto down = co_await p->run(1, [](database&) {});
      CHECK(down.status() == weft::unavailable("blocking pool 'db': connection refused"));
      *up = true;
      for (;;) {
        auto next = co_await p->run(1, [](database&) {});
        if (next.ok()) break;
      }
    }(&p, &up));
  }

  TEST_CASE(
      "an exception in a function ends its call with UNKNOWN and is logged; the thread and its resource live on") {
    weft::runtime rt;
    std::string logged;
    pool p{open, {.name = "db", .threads = 1, .log = [&logged](std::string_view line) { logged = line; }}};
    weft::sync_wait(rt, [](pool* p) -> weft::task<> {
      const auto before = co_await p->run([](database& db) { return db.made_on; });
      const auto thrown = co_await p->run([](database&) { throw std::runtime_error{"select secret"}; });
      CHECK(thrown.status() == weft::unknown_error("the function threw"));
      const auto after = co_await p->run([](database&) { return std::this_thread::get_id(); });
      CHECK(*before == *after);
    }(&p));
    p.stop();
    CHECK(logged == "blocking pool 'db': a function threw: select secret");
    CHECK(p.counters().threw == 1);
  }

  TEST_CASE("jobs of one key run in order while those of another run beside them") {
    weft::runtime rt;
    pool p{open, {.threads = 3}};
    std::vector<int> order;  // no lock: the key protects it
    std::latch other{1};
    weft::sync_wait(rt, weft::with_scope(
                            [](pool* p, std::vector<int>* order, std::latch* other, weft::scope& s) -> weft::task<> {
                              for (int i = 0; i < 100; ++i) {
                                std::ignore = s.start(p->run(std::string{"ann"}, [order, other, i](database&) {
                                  if (i == 0) other->wait();
                                  order->push_back(i);
                                }));
                              }
                              std::ignore =
                                  s.start(p->run(std::string{"bob"}, [other](database&) { other->count_down(); }));
                              co_return;
                            },
                            &p, &order, &other));
    REQUIRE(order.size() == 100);
    for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }

  TEST_CASE("a full pool refuses at once, without suspending") {
    weft::runtime rt;
    pool p{open, {.name = "db", .threads = 1, .waiting = 2}};
    gate g;
    bool others_ran = false;
    weft::sync_wait(rt, weft::with_scope(
                            [](pool* p, gate* g, bool* others_ran, weft::scope& s) -> weft::task<> {
                              std::ignore = s.start(p->run(g->blocks()));
                              co_await weft::yield{};
                              g->begun.wait();
                              std::ignore = s.start(p->run(1, [](database&) {}));
                              std::ignore = s.start(p->run(1, [](database&) {}));
                              co_await weft::yield{};
                              std::ignore = s.start([](bool* ran) -> weft::task<> {
                                *ran = true;
                                co_return;
                              }(others_ran));
                              const auto refused = co_await p->run(2, [](database&) {});
                              CHECK_FALSE(*others_ran);
                              CHECK(refused.status() == weft::resource_exhausted("in blocking pool 'db' 2 jobs wait"));
                              g->opened.count_down();
                            },
                            &p, &g, &others_ran));
    CHECK(p.counters().ran == 3);
    CHECK(p.counters().refused == 1);
  }

  TEST_CASE("at the deadline the wait ends, the job does not; one that has not begun runs unless told to be skipped") {
    test::virtual_time t;
    pool p{open, {.threads = 1}};
    gate g;
    std::atomic<int> ran{0};
    t.run([](pool* p, gate* g, std::atomic<int>* ran) -> weft::task<> {
      const auto count = [ran](database&) { ++*ran; };
      const auto late = co_await p->run(1, g->blocks(), weft::within{2s});
      CHECK(late.status() == weft::deadline_exceeded("the job took too long: the job goes on"));
      g->begun.wait();
      const auto kept = co_await p->run(1, count, weft::within{2s});
      CHECK(kept.status() == weft::deadline_exceeded("the job took too long: the job goes on"));
      const auto skipped = co_await p->run(1, count, weft::within{2s}, weft::if_abandoned::skip);
      CHECK(skipped.status() == weft::deadline_exceeded("the job took too long: the job will not run"));
      const auto never = co_await p->run(1, count, weft::within{0s});
      CHECK(never.status() == weft::deadline_exceeded("the deadline had passed before the job was submitted"));
    }(&p, &g, &ran));
    g.opened.count_down();
    p.stop();
    CHECK(ran == 1);
    CHECK(p.counters().ran == 2);
    CHECK(p.counters().skipped == 1);
  }

  TEST_CASE("a job that was to be skipped but has begun goes on") {
    test::virtual_time t;
    pool p{open, {.threads = 1}};
    gate g;
    t.run(weft::with_scope(
        [](pool* p, gate* g, weft::scope& s) -> weft::task<> {
          auto read = s.start(p->run(g->blocks(), weft::within{1s}, weft::if_abandoned::skip));
          co_await weft::yield{};
          g->begun.wait();
          CHECK((co_await std::move(read)).status() ==
                weft::deadline_exceeded("the job took too long: the job goes on"));
        },
        &p, &g));
    g.opened.count_down();
    p.stop();
    CHECK(p.counters().ran == 1);
  }

  TEST_CASE("stop ends the wait at once; a stopped task submits nothing, except under shield") {
    weft::runtime rt;
    pool p{open, {.threads = 1}};
    gate g;
    bool saved = false;
    weft::sync_wait(
        rt, weft::with_scope(
                [](pool* p, gate* g, bool* saved, weft::scope& s) -> weft::task<> {
                  auto save = s.start(p->run(7, g->blocks()));
                  co_await weft::yield{};
                  g->begun.wait();
                  s.stop();
                  CHECK((co_await std::move(save)).code() == weft::code::cancelled);
                  const auto nothing = co_await p->run(7, [saved](database&) { *saved = true; });
                  CHECK(nothing.status() == weft::cancelled("the calling task is stopped: the job was not submitted"));
                  g->opened.count_down();
                  const auto farewell = co_await weft::shield(p->run(7, [saved](database&) { *saved = true; }), 1min);
                  CHECK(farewell.code() == weft::code::ok);
                },
                &p, &g, &saved));
    CHECK(saved);
  }

  TEST_CASE("draining runs what was accepted and refuses the rest") {
    weft::runtime rt;
    pool p{open, {.name = "db", .threads = 2}};
    std::atomic<int> ran{0};
    weft::sync_wait(rt, weft::with_scope(
                            [](pool* p, std::atomic<int>* ran, weft::scope& s) -> weft::task<> {
                              for (int i = 0; i < 100; ++i)
                                std::ignore = s.start(p->run(i % 3, [ran](database&) { ++*ran; }));
                              co_await weft::yield{};
                              s.stop();
                            },
                            &p, &ran));
    p.stop(weft::pool_stop::drain);
    CHECK(ran == 100);
    const auto late = weft::sync_wait(rt, weft::as_task(p.run([](database&) {})));
    CHECK(late.status() == weft::unavailable("blocking pool 'db' is stopped"));
  }

  TEST_CASE("abandoning refuses what has not begun, in whatever line it waits, and counts what nobody was told of") {
    weft::runtime rt;
    pool p{open, {.name = "db", .threads = 1, .log = silent()}};
    gate g;
    std::thread stopper;
    weft::sync_wait(rt, weft::with_scope(
                            [](pool* p, gate* g, std::thread* stopper, weft::scope& s) -> weft::task<> {
                              auto running = s.start(p->run(1, g->blocks()));
                              co_await weft::yield{};
                              g->begun.wait();
                              auto behind = s.start(p->run(1, [](database&) {}));
                              auto ready = s.start(p->run(2, [](database&) {}));
                              auto behind_ready = s.start(p->run(2, [](database&) {}));
                              auto alone = s.start(p->run([](database&) {}));
                              auto gone = s.start(p->run(3, [](database&) {}));
                              auto skipped = s.start(p->run(3, [](database&) {}, {}, weft::if_abandoned::skip));
                              co_await weft::yield{};
                              gone.stop();
                              skipped.stop();
                              CHECK(p->waiting() == 6);
                              *stopper = std::thread{[p] { p->stop(weft::pool_stop::abandon); }};
                              const auto why = weft::unavailable("blocking pool 'db' was stopped");
                              CHECK((co_await std::move(behind)).status() == why);
                              CHECK((co_await std::move(ready)).status() == why);
                              CHECK((co_await std::move(behind_ready)).status() == why);
                              CHECK((co_await std::move(alone)).status() == why);
                              CHECK(!running.done());
                              g->opened.count_down();
                              CHECK((co_await std::move(running)).ok());
                            },
                            &p, &g, &stopper));
    stopper.join();
    const auto counted = p.counters();
    CHECK(counted.accepted == 7);
    CHECK(counted.ran == 1);
    CHECK(counted.refused == 5);
    CHECK(counted.lost == 1);
    CHECK(counted.skipped == 1);
  }

  TEST_CASE("a runtime may end while jobs whose callers have gone still wait and run") {
    pool p{open, {.threads = 1}};
    gate g;
    std::atomic<int> ran{0};
    {
      weft::runtime rt;
      REQUIRE(weft::spawn(
          rt.control(), "first",
          [](pool* p, gate* g) -> weft::task<> { std::ignore = co_await p->run(1, g->blocks()); }, &p, &g));
      g.begun.wait();
      REQUIRE(weft::spawn(
          rt.control(), "second",
          [](pool* p, std::atomic<int>* ran) -> weft::task<> {
            const auto end = co_await p->run(1, [ran](database&) { ++*ran; });
            CHECK(end.code() == weft::code::cancelled);
          },
          &p, &ran));
      while (p.waiting() == 0) std::this_thread::yield();
    }
    g.opened.count_down();
    p.stop();
    CHECK(ran == 1);
  }

  TEST_CASE("ten thousand jobs of 64 keys from four strands of two runtimes, with callers that give up: one completion "
            "each, in order for each key") {
    constexpr int strands = 4, each = 2'500, keys = 64;
    struct line {
      std::vector<int> ran;  // no lock: the key protects it
      int submitted = 0;     // its strand does
    };
    struct caller {
      std::array<line, keys / strands> lines;
      int completed = 0;
      int ok = 0;
      std::mt19937 random;
    };
    std::array<caller, strands> callers;
    pool p{open, {.threads = 3, .waiting = 512}};
    {
      std::array<weft::runtime, 2> rts{weft::runtime{{.workers = 2}}, weft::runtime{{.workers = 2}}};
      std::vector<std::unique_ptr<weft::strand>> homes;
      std::latch done{strands};
      for (unsigned i = 0; i < strands; ++i) {
        callers[i].random.seed(i + 1);
        homes.push_back(std::make_unique<weft::strand>(rts[i / 2], weft::strand_options{.worker = int(i % 2)}));
        REQUIRE(weft::spawn(
            *homes.back(), "caller",
            [](pool* p, caller* c, unsigned first, std::latch* done) -> weft::task<> {
              co_await weft::with_scope(
                  [](pool* p, caller* c, unsigned first, weft::scope& s) -> weft::task<> {
                    const auto save = [](pool* p, caller* c, unsigned key, weft::duration limit,
                                         weft::if_abandoned policy) -> weft::task<> {
                      auto* l = &c->lines[key / strands];
                      const auto outcome = co_await p->run(
                          key, [l, number = ++l->submitted](database&) { l->ran.push_back(number); },
                          weft::within{limit}, policy);
                      ++c->completed;
                      c->ok += outcome.ok() ? 1 : 0;
                    };
                    for (int n = 0; n < each; ++n) {
                      auto& random = c->random;
                      const auto key = static_cast<unsigned>(random() % (keys / strands)) * strands + first;
                      const auto limit =
                          random() % 3 == 0 ? weft::duration{random() % 2'000 * 1us} : weft::duration{1h};
                      const auto policy = random() % 2 == 0 ? weft::if_abandoned::run : weft::if_abandoned::skip;
                      auto job = s.start(save(p, c, key, limit, policy));
                      const auto then = random() % 4;
                      if (then >= 2) co_await weft::yield{};
                      if (then == 3) job.stop();
                      if (random() % 64 == 0) std::ignore = co_await weft::sleep_for(1ms);
                    }
                    s.stop();
                  },
                  p, c, first);
              done->count_down();
            },
            &p, &callers[i], i, &done));
      }
      done.wait();
      homes.clear();
    }
    p.stop();

    std::uint64_t ran = 0;
    int ok = 0;
    for (auto& c : callers) {
      CHECK(c.completed == each);
      ok += c.ok;
      for (auto& l : c.lines) {
        for (std::size_t i = 1; i < l.ran.size(); ++i) REQUIRE(l.ran[i - 1] < l.ran[i]);
        ran += l.ran.size();
      }
    }
    const auto counted = p.counters();
    CHECK(ok > 0);
    CHECK(ran >= static_cast<std::uint64_t>(ok));
    CHECK(counted.ran == ran);
    CHECK(counted.accepted == counted.ran + counted.skipped);
    CHECK(p.waiting() == 0);
  }

  TEST_CASE("a job that a select does not need never runs") {
    test::virtual_time t;
    weft::blocking_pool<int> pool{[] { return 1; }, {.threads = 1}};
    weft::queue<int> q{4};
    t.run([](weft::queue<int>* q, weft::blocking_pool<int>* pool) -> weft::task<> {
      CHECK(q->try_push(1).ok());
      auto r = co_await weft::select(*q, pool->run([](int&) { return 2; }));
      CHECK(r.ok());
    }(&q, &pool));
  }

  TEST_CASE("a job that a limit refuses never runs") {
    test::virtual_time t;
    weft::blocking_pool<int> pool{[] { return 1; }, {.threads = 1}};
    weft::limit l{1, 0};
    t.run(weft::with_scope(
        [](weft::limit* l, weft::blocking_pool<int>* pool, weft::scope& scope) -> weft::task<> {
          auto first = scope.start(l->run([] { return slow(10ms); }));
          std::ignore = co_await weft::sleep_for(1ms);
          auto r = co_await l->run(pool->run([](int&) { return 2; }));
          CHECK(r.code() == weft::code::resource_exhausted);
        },
        &l, &pool));
  }
}
