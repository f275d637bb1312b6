#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>
#include <weft/runtime/pipe.hpp>
#include <weft/runtime/run_on.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/sync_wait.hpp>

using namespace std::chrono_literals;
using number_pipe = weft::pipe<int>;

namespace {

// A pipe from the control strand to a strand of the same worker or of another.
struct two_ends {
  explicit two_ends(int reading_worker, std::size_t limit = 4)
      : there{rt, {.name = "reader", .worker = reading_worker}}, numbers{std::make_shared<number_pipe>(limit)} {
    numbers->connect(rt.worker_at(0), rt.worker_at(reading_worker));
  }
  template <class T>
  T run(weft::task<T> t) {
    return weft::sync_wait(rt, std::move(t));
  }

  weft::runtime rt{{.workers = 2}};
  weft::strand there;
  std::shared_ptr<number_pipe> numbers;
};

template <class F>
void on_one_worker_and_two(F f) {
  for (const int worker : {0, 1}) {
    CAPTURE(worker);
    f(worker);
  }
}

weft::task<std::vector<int>> read_all(number_pipe* p) {
  std::vector<int> all;
  while (auto n = co_await p->read()) all.push_back(*n);
  co_return all;
}

weft::task<weft::status> write_up_to(number_pipe* p, int end) {
  for (int i = 0; i < end; ++i) {
    if (auto s = co_await p->write(i); !s.ok()) co_return s;
  }
  p->end();
  co_return weft::status{};
}

// Writes here while it is read there; what was read.
weft::task<std::vector<int>> through(two_ends* f, int values, weft::scope& s) {
  auto writing = s.start(write_up_to(f->numbers.get(), values));
  auto all = co_await weft::run_on(f->there, &read_all, f->numbers.get());
  CHECK((co_await std::move(writing)).ok());
  co_return all;
}

weft::task<> tell(number_pipe* p, void (*f)(number_pipe&)) {
  f(*p);
  co_return;
}

}  // namespace

TEST_SUITE("pipe") {
  TEST_CASE("values arrive in order, then the end") {
    on_one_worker_and_two([](int worker) {
      two_ends f{worker};
      const auto all = f.run(weft::with_scope(&through, &f, 10'000));
      REQUIRE(all.size() == 10'000);
      for (int i = 0; i < 10'000; ++i) REQUIRE(all[static_cast<std::size_t>(i)] == i);
    });
  }

  TEST_CASE("a writer finds no more places than the limit until somebody reads") {
    on_one_worker_and_two([](int worker) {
      two_ends f{worker, 4};
      f.run(weft::with_scope(
          [](two_ends* f, weft::scope& s) -> weft::task<> {
            for (int i = 0; i < 4; ++i) CHECK((co_await f->numbers->write(i)).ok());
            auto fifth = s.start(f->numbers->write(4));
            for (int i = 0; i < 10; ++i) co_await weft::yield{};
            CHECK_FALSE(fifth.done());
            f->numbers->end();  // it waits still, and is told
            CHECK((co_await std::move(fifth)).code() == weft::code::failed_precondition);
            const auto all = co_await weft::run_on(f->there, &read_all, f->numbers.get());
            CHECK(all == std::vector{0, 1, 2, 3});
          },
          &f));
    });
  }

  TEST_CASE("after the end nothing can be written") {
    two_ends f{0};
    f.numbers->end();
    CHECK(f.run(f.numbers->write(1)).code() == weft::code::failed_precondition);
    CHECK(f.run(read_all(f.numbers.get())).empty());
    CHECK(f.numbers->ended_by_writer());
  }

  TEST_CASE("a reader that refuses cuts the writers, those that wait too") {
    on_one_worker_and_two([](int worker) {
      two_ends f{worker, 1};
      f.run(weft::with_scope(
          [](two_ends* f, weft::scope& s) -> weft::task<> {
            CHECK((co_await f->numbers->write(1)).ok());
            auto waiting = s.start(f->numbers->write(2));
            co_await weft::run_on(
                f->there, &tell, f->numbers.get(), +[](number_pipe& p) { p.refuse(weft::aborted("enough")); });
            CHECK((co_await std::move(waiting)) == weft::aborted("enough"));
            CHECK((co_await f->numbers->write(3)) == weft::aborted("enough"));
          },
          &f));
    });
  }

  TEST_CASE("what is discarded makes room, and its writer does not notice") {
    on_one_worker_and_two([](int worker) {
      two_ends f{worker, 3};
      f.run([](two_ends* f) -> weft::task<> {
        co_await weft::run_on(f->there, &tell, f->numbers.get(), +[](number_pipe& p) { p.discard(); });
        CHECK((co_await write_up_to(f->numbers.get(), 100)).ok());
        CHECK((co_await weft::run_on(f->there, &read_all, f->numbers.get())).empty());
      }(&f));
    });
  }

  TEST_CASE("a writer that is stopped while it waits has written nothing") {
    two_ends f{0, 1};
    f.run(weft::with_scope(
        [](two_ends* f, weft::scope& s) -> weft::task<> {
          CHECK((co_await f->numbers->write(1)).ok());
          auto waiting = s.start(f->numbers->write(2));
          co_await weft::yield{};
          waiting.stop();
          CHECK((co_await std::move(waiting)).code() == weft::code::cancelled);
          f->numbers->end();
          const auto all = co_await read_all(f->numbers.get());
          CHECK(all == std::vector{1});
        },
        &f));
  }

  TEST_CASE("close ends reading with what has arrived, and is not the writer's end") {
    two_ends f{0};
    f.run([](two_ends* f) -> weft::task<> {
      CHECK((co_await f->numbers->write(1)).ok());
      f->numbers->close();
      const auto all = co_await read_all(f->numbers.get());
      CHECK(all == std::vector{1});
      CHECK_FALSE(f->numbers->ended_by_writer());
    }(&f));
  }
}
