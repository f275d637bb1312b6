#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <tuple>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>

#include "../../support/virtual_time.hpp"

namespace {

weft::task<> echo(std::unique_ptr<weft::link> l, std::atomic<int>* ended) {
  while (auto message = co_await l->receive()) std::ignore = l->send(std::move(*message));
  l.reset();
  ended->fetch_add(1);
  ended->notify_all();
}

weft::task<> talk(std::unique_ptr<weft::link> l, int count, std::atomic<int>* ended) {
  for (int i = 0; i < count; ++i) {
    CHECK(l->send(std::to_string(i)).ok());
    if (i % 10 != 9) continue;
    for (int k = i - 9; k <= i; ++k) {
      auto got = co_await l->receive();
      CHECK((got && *got == std::to_string(k)));
    }
  }
  l.reset();
  ended->fetch_add(1);
  ended->notify_all();
}

void wait_until(const std::atomic<int>& value, int wanted) {
  for (int seen = value.load(); seen != wanted; seen = value.load()) value.wait(seen);
}

}  // namespace

TEST_SUITE("memory links") {
  TEST_CASE("two workers talk to each other") {
    weft::runtime rt{{.workers = 2}};
    weft::strand here{rt, {.worker = 0}}, there{rt, {.worker = 1}};
    std::atomic<int> ended{0};
    auto [a, b] = weft::memory_links(here, there, {.inbound_messages = 3}, 7);
    CHECK(weft::spawn(there, "echo", echo, std::move(b), &ended));
    CHECK(weft::spawn(here, "talk", talk, std::move(a), 2'000, &ended));
    wait_until(ended, 2);
  }

  TEST_CASE("both ends may go at the same time on different workers, and the strands right after them") {
    weft::runtime rt{{.workers = 2}};
    for (int round = 0; round < 300; ++round) {
      std::atomic<int> ended{0};
      auto here = std::make_unique<weft::strand>(rt, weft::strand_options{.worker = 0});
      auto there = std::make_unique<weft::strand>(rt, weft::strand_options{.worker = 1});
      auto [a, b] = weft::memory_links(*here, *there, {.inbound_messages = 2}, round % 2 == 0 ? 0 : 1);
      auto send_and_go = [](std::unique_ptr<weft::link> l, int count, bool wait,
                            std::atomic<int>* ended) -> weft::task<> {
        for (int i = 0; i < count; ++i) std::ignore = l->send("abc");
        if (wait) std::ignore = co_await l->receive();
        l.reset();
        ended->fetch_add(1);
        ended->notify_all();
      };
      CHECK(weft::spawn(*here, "a", send_and_go, std::move(a), round % 7, false, &ended));
      CHECK(weft::spawn(*there, "b", send_and_go, std::move(b), round % 5, round % 3 == 0, &ended));
      wait_until(ended, 2);
    }
  }

  TEST_CASE("the peer of a link whose runtime has ended finds it closed") {
    weft::runtime rt;
    weft::strand here{rt};
    std::atomic<int> ended{0};
    auto other = std::make_unique<weft::runtime>();
    auto [a, b] = weft::memory_links(here, other->control());
    CHECK(weft::spawn(other->control(), "echo", echo, std::move(b), &ended));
    other.reset();  // stops the echo, which destroys its link
    CHECK(ended == 1);
    auto find_out = [](std::unique_ptr<weft::link> l, std::atomic<int>* ended) -> weft::task<> {
      auto none = co_await l->receive();
      CHECK_FALSE(none.has_value());
      CHECK(l->end().ok());
      CHECK(l->send("anybody?").code() == weft::code::unavailable);
      l.reset();
      ended->fetch_add(1);
      ended->notify_all();
    };
    CHECK(weft::spawn(here, "find out", find_out, std::move(a), &ended));
    wait_until(ended, 2);
  }
}
