#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/lane.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/when_all.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

using weft::reentrancy;

struct pair_of_services : test::virtual_time {
  ~pair_of_services() override {
    run(a.stop(weft::stop_mode::abort));
    run(b.stop(weft::stop_mode::abort));
  }
  weft::service a{rt, {.name = "a", .reentrancy = reentrancy::exclusive}};
  weft::service b{rt, {.name = "b", .reentrancy = reentrancy::exclusive}};
};

// Calls `first`, and from in there `second`; that one's outcome comes out.
weft::task<weft::result<int>> through(weft::service* first, weft::service* second, weft::duration before) {
  co_return co_await first->call([second, before]() -> weft::task<weft::result<int>> {
    std::ignore = co_await weft::sleep_for(before);
    co_return co_await second->call([] { return 1; });
  });
}

struct by_method : weft::service {
  explicit by_method(weft::runtime& rt) : service{rt, {.name = "table", .reentrancy = reentrancy::exclusive}} {
    set_reentrancy("function", reentrancy::interleaved);
  }
};

}  // namespace

TEST_SUITE("reentrancy") {
  TEST_CASE("an exclusive handler's own descendants are let back in, strangers are not") {
    pair_of_services f;
    std::string log;
    f.run(weft::with_scope(
        [](pair_of_services* f, std::string* log, weft::scope& scope) -> weft::task<> {
          auto outer = scope.start(f->a.call([f, log]() -> weft::task<weft::status> {
            *log += "[";
            auto r = co_await f->b.call([f, log]() -> weft::task<weft::status> {
              std::ignore = co_await weft::sleep_for(5ms);
              co_return (co_await f->a.call([log] { *log += "again "; })).status();
            });
            *log += "]";
            co_return r.status();
          }));
          co_await weft::yield{};
          auto stranger = co_await f->a.call([log] { *log += " stranger"; });
          CHECK(stranger.ok());
          CHECK((co_await std::move(outer)).ok());
        },
        &f, &log));
    CHECK(log == "[again ] stranger");
    CHECK(f.a.counters().reentered == 1);
  }

  TEST_CASE("descendants that come back together are let in one at a time") {
    pair_of_services f;
    int inside = 0, most = 0;
    f.run([](pair_of_services* f, int* inside, int* most) -> weft::task<> {
      auto r = co_await f->a.call([f, inside, most]() -> weft::task<weft::status> {
        auto back = [](pair_of_services* f, int* inside, int* most) -> weft::task<weft::result<weft::unit>> {
          co_return co_await f->a.call([inside, most]() -> weft::task<> {
            *most = std::max(*most, ++*inside);
            std::ignore = co_await weft::sleep_for(2ms);
            --*inside;
          });
        };
        auto all = co_await weft::when_all(back(f, inside, most), back(f, inside, most), back(f, inside, most));
        co_return std::get<0>(all).ok() && std::get<1>(all).ok() && std::get<2>(all).ok() ? weft::status{}
                                                                                          : weft::aborted("one failed");
      });
      CHECK(r.ok());
    }(&f, &inside, &most));
    CHECK(most == 1);
    CHECK(f.a.counters().reentered == 3);
  }

  TEST_CASE("a recursion without end is refused at a depth of 256") {
    pair_of_services f;
    f.run([](pair_of_services* f) -> weft::task<> {
      struct recursion {
        static weft::task<weft::status> enter(pair_of_services* f) {
          co_return (co_await f->a.call([f] { return enter(f); })).status();
        }
      };
      const auto end = co_await f->a.call([f] { return recursion::enter(f); });
      CHECK(end.status() == weft::resource_exhausted("service 'a': 256 handlers wait for each other already"));
    }(&f));
    CHECK(f.a.counters().reentered == 255);
  }

  TEST_CASE("over another worker descendants are known too") {
    weft::runtime rt{{.workers = 2}};
    weft::service near{rt, {.name = "near", .reentrancy = reentrancy::exclusive}};
    weft::service far{rt, {.name = "far", .worker = 1, .reentrancy = reentrancy::exclusive}};
    const bool good = weft::sync_wait(rt, [](weft::service* near, weft::service* far) -> weft::task<bool> {
      for (int i = 0; i < 500; ++i) {
        auto r = co_await near->call([near, far]() -> weft::task<weft::status> {
          co_return (co_await far->call([near]() -> weft::task<weft::status> {
            co_return (co_await near->call([] {})).status();
          })).status();
        });
        if (!r.ok()) co_return false;
      }
      co_return true;
    }(&near, &far));
    CHECK(good);
    near.stop_and_wait();
    far.stop_and_wait();
  }

  TEST_CASE("what a handler sends or runs in a lane descends from nobody and waits for its turn") {
    pair_of_services f;
    std::string log;
    f.run([](pair_of_services* f, std::string* log) -> weft::task<> {
      CHECK((co_await f->a.call([f, log]() -> weft::task<> {
              CHECK(f->a.send([log] { *log += " sent"; }).ok());
              std::ignore = co_await weft::sleep_for(5ms);
              *log += "handler";
            })).ok());
      CHECK((co_await f->a.call([] {})).ok());
    }(&f, &log));
    CHECK(log == "handler sent");
  }

  TEST_CASE("an interleaved method of an exclusive service starts at once, exclusive ones keep their order") {
    test::virtual_time t;
    by_method table{t.rt};
    std::string log;
    t.run(weft::with_scope(
        [](by_method* table, std::string* log, weft::scope&) -> weft::task<> {
          const auto slow = table->post([log]() -> weft::task<> {  // the method "post" is exclusive
            std::ignore = co_await weft::sleep_for(5ms);
            *log += "1";
          });
          const auto next = table->post([log] { *log += "2"; });
          co_await weft::yield{};
          CHECK((co_await table->call([log] { *log += "look "; })).ok());
          CHECK((co_await next).ok());
          CHECK((co_await slow).ok());
        },
        &table, &log));
    CHECK(log == "look 12");
    t.run(table.stop());
  }
}

TEST_SUITE("deadlock") {
  TEST_CASE(
      "two exclusive services that wait for each other: the call that closes the cycle is ABORTED with its path") {
    pair_of_services f;
    const auto begin = f.clock.now();
    f.run([](pair_of_services* f) -> weft::task<> {
      auto both = co_await weft::when_all(through(&f->a, &f->b, 1ms), through(&f->b, &f->a, 2ms));
      CHECK(*std::get<0>(both) == 1);
      CHECK(std::get<1>(both).status() ==
            weft::aborted("deadlock: function on b waits for function on a waits for function on b"));
    }(&f));
    CHECK(f.clock.now() - begin < 10ms);
    CHECK(f.a.counters().deadlocked + f.b.counters().deadlocked == 1);
  }

  TEST_CASE("a cycle of three is found, a chain of three is none") {
    test::virtual_time t;
    weft::service a{t.rt, {.name = "a", .reentrancy = reentrancy::exclusive}};
    weft::service b{t.rt, {.name = "b", .reentrancy = reentrancy::exclusive}};
    weft::service c{t.rt, {.name = "c", .reentrancy = reentrancy::exclusive}};
    t.run([](weft::service* a, weft::service* b, weft::service* c) -> weft::task<> {
      auto chain = co_await weft::when_all(through(a, b, 1ms), through(b, c, 2ms), through(c, c, 3ms));
      CHECK(std::get<0>(chain).ok());
      CHECK(std::get<1>(chain).ok());
      CHECK(std::get<2>(chain).ok());  // into itself: let back in
      auto cycle = co_await weft::when_all(through(a, b, 1ms), through(b, c, 2ms), through(c, a, 3ms));
      CHECK(std::get<0>(cycle).ok());
      CHECK(std::get<1>(cycle).ok());
      CHECK(std::get<2>(cycle).code() == weft::code::aborted);
      CHECK(std::get<2>(cycle).status().message() ==
            "deadlock: function on c waits for function on a waits for function on b waits for function on c");
    }(&a, &b, &c));
    for (auto* s : {&a, &b, &c}) t.run(s->stop());
  }

  TEST_CASE("tasks that await each other: the second gets the path instead of a hang") {
    test::virtual_time t;
    std::string said;
    t.run(weft::with_scope(
        [](std::string* said, weft::scope& scope) -> weft::task<> {
          using handle = std::shared_ptr<std::unique_ptr<weft::started<weft::status>>>;
          auto first = std::make_shared<std::unique_ptr<weft::started<weft::status>>>();
          auto second = std::make_shared<std::unique_ptr<weft::started<weft::status>>>();
          auto awaits = [](handle other, std::string* said) -> weft::task<weft::status> {
            co_await weft::yield{};
            auto s = co_await std::move(**other);
            *said += s.to_string() + ".";
            co_return s;
          };
          *first = std::make_unique<weft::started<weft::status>>(scope.start(awaits(second, said), "first"));
          *second = std::make_unique<weft::started<weft::status>>(scope.start(awaits(first, said), "second"));
          while (scope.running() > 1) co_await weft::yield{};  // this body itself is one
          first->reset();
          second->reset();
          co_return;
        },
        &said));
    const std::string path =
        "ABORTED: deadlock: second on control waits for first on control waits for second on control.";
    CHECK(said == path + path);  // the first gets what the second ended with
  }
}
