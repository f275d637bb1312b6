#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <weft/runtime/keyed.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/virtual_time.hpp"

using namespace std::chrono_literals;

namespace {

// A room that is loaded from and saved to a map.
struct room : weft::service {
  room(weft::runtime& rt, std::map<int, int>& saved, int id)
      : service{rt, {.name = "room"}}, saved_{saved}, id_{id}, visits{saved[id]} {}

  weft::task<> snapshot() override {
    std::ignore = co_await weft::sleep_for(2ms);
    saved_[id_] = visits;
  }

 private:
  std::map<int, int>& saved_;
  int id_;

 public:
  int visits;
};

using rooms = weft::keyed<int, room>;

struct fixture : test::virtual_time {
  explicit fixture(weft::keyed_options o = {}) : all{rt, [this](int id) { return load(id); }, o} {}
  ~fixture() override { run(all.stop()); }

  weft::reply<std::unique_ptr<room>> load(int id) {
    ++made;
    std::ignore = co_await weft::sleep_for(1ms);
    if (id < 0) co_return weft::not_found("no room " + std::to_string(id));
    if (id == 666) throw std::runtime_error{"on purpose"};
    co_return std::make_unique<room>(rt, saved, id);
  }

  std::map<int, int> saved;
  int made = 0;
  rooms all;
};

weft::task<int> visit(rooms* all, int id) {
  auto r = co_await all->activate(id);
  if (!r.ok()) co_return -static_cast<int>(r.code());
  const auto& held = *r;
  auto count = [held] { return ++held->visits; };  // named: g++ 12 destroys such a temporary of a co_await twice
  auto n = co_await held->call(count);
  co_return *n;
}

struct plain_room : weft::service {
  explicit plain_room(weft::runtime& rt) : service{rt, {.name = "room"}} {}
};

}  // namespace

TEST_SUITE("keyed") {
  TEST_CASE("finding makes nothing, however many ids come") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      for (int id = 0; id < 10'000; ++id) CHECK_FALSE(f->all.find(id));
      co_return;
    }(&f));
    CHECK(f.made == 0);
    CHECK(f.all.size() == 0);
  }

  TEST_CASE("the same key is the same service and strand, made once however many ask at a time") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      const auto all = co_await weft::when_all(visit(&f->all, 7), visit(&f->all, 7), visit(&f->all, 8));
      CHECK(std::get<0>(all) + std::get<1>(all) == 3);
      CHECK(std::get<2>(all) == 1);
      CHECK(&f->all.find(7)->strand() == &f->all.find(7)->strand());
      CHECK(&f->all.find(7)->strand() != &f->all.find(8)->strand());
    }(&f));
    CHECK(f.made == 2);
    CHECK(f.all.counters().activated == 2);
  }

  TEST_CASE("errors and exceptions of the maker come out of activate, and the next one tries again") {
    fixture f;
    f.run([](fixture* f) -> weft::task<> {
      CHECK((co_await f->all.activate(-1)).status() == weft::not_found("no room -1"));
      CHECK((co_await f->all.activate(-1)).code() == weft::code::not_found);
      CHECK((co_await f->all.activate(666)).code() == weft::code::unknown);
    }(&f));
    CHECK(f.made == 3);
    CHECK(f.all.counters().failed == 3);
    CHECK(f.all.size() == 0);
  }

  TEST_CASE("beyond the limit activation is refused, finding goes on") {
    fixture f{{.name = "rooms", .limit = 2}};
    f.run([](fixture* f) -> weft::task<> {
      CHECK(co_await visit(&f->all, 1) == 1);
      CHECK(co_await visit(&f->all, 2) == 1);
      CHECK((co_await f->all.activate(3)).status() == weft::resource_exhausted("keyed 'rooms' has 2 services active"));
      CHECK(co_await visit(&f->all, 1) == 2);
    }(&f));
    CHECK(f.all.counters().refused == 1);
  }

  TEST_CASE("what is idle is retired and saved; who comes meanwhile waits for it and gets a new one") {
    fixture f{{.idle_after = 100ms}};
    f.run([](fixture* f) -> weft::task<> {
      CHECK(co_await visit(&f->all, 1) == 1);
      std::ignore = co_await weft::sleep_for(50ms);
      CHECK(f->all.find(1));
      while (f->all.counters().deactivated == 0) std::ignore = co_await weft::sleep_for(1ms);
      CHECK_FALSE(f->all.find(1));             // it is leaving
      CHECK(co_await visit(&f->all, 1) == 2);  // what it saved
    }(&f));
    CHECK(f.made == 2);
    CHECK(f.all.counters().deactivated == 1);
  }

  TEST_CASE("what is held, called or run in is not idle") {
    fixture f{{.idle_after = 20ms}};
    f.run([](fixture* f) -> weft::task<> {
      auto held = co_await f->all.activate(1);
      auto also = co_await f->all.activate(2);
      auto* second = &**also;
      *also = {};
      CHECK((co_await second->call([]() -> weft::task<> { std::ignore = co_await weft::sleep_for(200ms); })).ok());
      CHECK(f->all.size() == 2);
      *held = {};
      std::ignore = co_await weft::sleep_for(200ms);
      CHECK(f->all.size() == 0);
    }(&f));
    CHECK(f.saved.size() == 2);
  }

  TEST_CASE("stop saves what is active, also what is being made or leaving, and refuses from then on") {
    fixture f{{.idle_after = 10ms}};
    f.run(weft::with_scope(
        [](fixture* f, weft::scope& scope) -> weft::task<> {
          CHECK(co_await visit(&f->all, 1) == 1);
          auto making = scope.start(visit(&f->all, 2));
          co_await weft::yield{};
          co_await f->all.stop();
          std::ignore = co_await std::move(making);
          CHECK((co_await f->all.activate(3)).code() == weft::code::unavailable);
          CHECK(f->all.size() == 0);
          CHECK(f->saved[1] == 1);
        },
        &f));
  }

  TEST_CASE("a maker that throws what is no exception makes nothing, and is tried again") {
    test::virtual_time t;
    using rooms_by_id = weft::keyed<int, plain_room>;
    rooms_by_id rooms{t.rt, [](int) -> weft::reply<std::unique_ptr<plain_room>> {
                        throw 42;
                        co_return weft::not_found("");
                      }};
    auto r = t.run(weft::with_timeout(10s, rooms.activate(1)));
    CHECK(r.code() == weft::code::unknown);
    CHECK(rooms.size() == 0);
    t.run(rooms.stop());
  }
}
