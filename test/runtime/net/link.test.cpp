#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/net/memory.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../../support/virtual_time.hpp"

using namespace std::chrono_literals;

// Every transport keeps the promises of link.hpp: each test runs over each of them.

namespace {

using weft::link_options;

struct ends {
  std::unique_ptr<weft::link> left;
  std::unique_ptr<weft::link> right;
};

template <class Body>
weft::task<> with_ends(ends* e, Body body) {
  co_await weft::with_scope(std::move(body), e);
  e->left.reset();
  e->right.reset();
}

template <std::size_t chunk>
struct over_memory {
  template <class Body>
  void run(Body body, link_options left = {}, link_options right = {}) {
    test::virtual_time t;
    ends e;
    std::tie(e.left, e.right) = weft::memory_links(t.rt.control(), t.rt.control(), left, right, chunk);
    t.run(with_ends(&e, std::move(body)));
  }
};

struct over_tcp {
  template <class Body>
  void run(Body body, link_options left = {}, link_options right = {}) {
    weft::runtime rt;
    weft::io net;
    auto everything = [](weft::runtime* rt, weft::io* net, link_options left, link_options right,
                         Body body) -> weft::task<> {
      auto listener = weft::tcp_listen(*net, rt->control(), "127.0.0.1:0", right);
      REQUIRE(listener.ok());
      auto connected = co_await weft::tcp_connect(*net, rt->control(), (*listener)->address(), left);
      REQUIRE(connected.ok());
      ends e;
      e.left = std::move(*connected);
      e.right = co_await (*listener)->accept();
      co_await with_ends(&e, std::move(body));
    };
    weft::sync_wait(rt, everything(&rt, &net, left, right, std::move(body)));
  }
};

#define OVER_EVERY_TRANSPORT(name) \
  TEST_CASE_TEMPLATE(name, Transport, over_memory<0>, over_memory<4'096>, over_memory<1>, over_tcp)

weft::task<> echo(weft::link* l) {
  while (auto message = co_await l->receive()) CHECK(l->send(std::move(*message)).ok());
}

weft::task<std::vector<std::string>> receive_all(weft::link* l) {
  std::vector<std::string> got;
  while (auto message = co_await l->receive()) got.push_back(std::move(*message));
  co_return got;
}

// Other tasks of the worker and the I/O thread get their turn.
weft::task<> let_pass(int turns) {
  for (int i = 0; i < turns; ++i) co_await weft::yield{};
}

std::vector<std::string> numbered(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
  return all;
}

}  // namespace

TYPE_TO_STRING_AS("memory", over_memory<0>);
TYPE_TO_STRING_AS("framed memory", over_memory<4'096>);
TYPE_TO_STRING_AS("memory byte by byte", over_memory<1>);
TYPE_TO_STRING_AS("TCP", over_tcp);

TEST_SUITE("link") {
  OVER_EVERY_TRANSPORT("messages arrive complete, once and in order, in both directions") {
    Transport{}.run([](ends* e, weft::scope& s) -> weft::task<> {
      std::ignore = s.start(echo(e->right.get()));
      std::vector<std::string> sent;
      for (int i = 0; i < 900; ++i)
        sent.push_back(std::string(static_cast<std::size_t>(i % 7 * i), static_cast<char>('a' + i % 26)));
      for (const auto& m : sent) REQUIRE(e->left->send(m).ok());
      for (const auto& m : sent) {
        auto got = co_await e->left->receive();
        REQUIRE(got.has_value());
        REQUIRE(*got == m);
      }
      e->left->close();
    });
  }

  OVER_EVERY_TRANSPORT("a message as long as allowed passes, a longer one is refused by send") {
    const link_options small{.max_frame = 200'000};
    Transport{}.run(
        [](ends* e, weft::scope&) -> weft::task<> {
          const std::string longest(200'000, 'x');
          CHECK(e->left->send(longest + "y") ==
                weft::invalid_argument("a message of 200001 bytes is longer than max_frame, 200000 bytes"));
          CHECK(e->left->send(longest).ok());
          auto got = co_await e->right->receive();
          CHECK((got && *got == longest));
        },
        small, small);
  }

  OVER_EVERY_TRANSPORT("a frame longer than the receiver allows ends it, after what came before was received") {
    Transport{}.run(
        [](ends* e, weft::scope&) -> weft::task<> {
          CHECK(e->left->send("fits").ok());
          CHECK(e->left->send(std::string(101, 'x')).ok());
          CHECK(e->left->send("never seen").ok());
          const auto got = co_await receive_all(e->right.get());
          CHECK(got == std::vector<std::string>{"fits"});
          CHECK(e->right->end() ==
                weft::invalid_argument("a message of 101 bytes is longer than max_frame, 100 bytes"));
        },
        {}, {.max_frame = 100});
  }

  OVER_EVERY_TRANSPORT("what was sent before the link was destroyed arrives, and then its orderly end") {
    Transport{}.run([](ends* e, weft::scope&) -> weft::task<> {
      for (int i = 0; i < 1'000; ++i) CHECK(e->left->send(std::to_string(i)).ok());
      e->left.reset();
      const auto got = co_await receive_all(e->right.get());
      CHECK(got == numbered(0, 1'000));
      CHECK(e->right->end().ok());
    });
  }

  OVER_EVERY_TRANSPORT("closing a link ends the receiver that waits in it, and sending") {
    Transport{}.run([](ends* e, weft::scope& s) -> weft::task<> {
      auto waiting = s.start(receive_all(e->left.get()));
      co_await let_pass(3);
      e->left->close();
      e->left->close();
      const auto got = co_await std::move(waiting);
      CHECK(got.empty());
      CHECK(e->left->end().ok());
      CHECK_FALSE(e->left->open());
      CHECK(e->left->send("too late").code() == weft::code::unavailable);
      auto none = co_await e->left->receive();
      CHECK_FALSE(none.has_value());
    });
  }

  OVER_EVERY_TRANSPORT("closed comes on both sides when both have closed") {
    Transport{}.run([](ends* e, weft::scope&) -> weft::task<> {
      e->left->close();
      auto none = co_await e->right->receive();
      CHECK_FALSE(none.has_value());
      e->right->close();
      const weft::status left_closed = co_await e->left->closed();
      const weft::status right_closed = co_await e->right->closed();
      CHECK(left_closed.ok());
      CHECK(right_closed.ok());
    });
  }

  OVER_EVERY_TRANSPORT("a task that waits for closed is released by stop") {
    Transport{}.run([](ends* e, weft::scope&) -> weft::task<> {
      const weft::status released = co_await weft::with_timeout(2ms, e->left->closed());
      CHECK(released.code() == weft::code::deadline_exceeded);
    });
  }

  OVER_EVERY_TRANSPORT("a receiver that is stopped ends empty and takes no message with it") {
    Transport{}.run([](ends* e, weft::scope& s) -> weft::task<> {
      auto waiting = s.start(receive_all(e->right.get()));
      co_await let_pass(3);
      waiting.stop();
      const auto got = co_await std::move(waiting);
      CHECK(got.empty());
      CHECK(e->right->end().code() == weft::code::cancelled);
      CHECK(e->left->send("still works").ok());
      auto next = co_await e->right->receive();
      CHECK((next && *next == "still works"));
      CHECK(e->right->end().ok());
    });
  }

  OVER_EVERY_TRANSPORT("a stopped task receives nothing although messages are there") {
    Transport{}.run([](ends* e, weft::scope& s) -> weft::task<> {
      CHECK(e->left->send("one").ok());
      CHECK(e->left->send("two").ok());
      auto one = co_await e->right->receive();
      CHECK((one && *one == "one"));
      auto late = s.start(receive_all(e->right.get()));
      late.stop();
      const auto got = co_await std::move(late);
      CHECK(got.empty());
      auto two = co_await e->right->receive();
      CHECK((two && *two == "two"));
    });
  }

  OVER_EVERY_TRANSPORT("several receivers share the messages") {
    Transport{}.run([](ends* e, weft::scope& s) -> weft::task<> {
      auto a = s.start(receive_all(e->right.get())), b = s.start(receive_all(e->right.get()));
      co_await let_pass(3);
      for (int i = 0; i < 100; ++i) CHECK(e->left->send(std::to_string(i)).ok());
      e->left->close();
      const auto got_a = co_await std::move(a);
      const auto got_b = co_await std::move(b);
      CHECK(got_a.size() + got_b.size() == 100);
    });
  }

  OVER_EVERY_TRANSPORT("a full link told to drop drops the oldest and counts them") {
    Transport{}.run(
        [](ends* e, weft::scope&) -> weft::task<> {
          for (int i = 0; i < 10; ++i) CHECK(e->left->send(std::to_string(i)).ok());
          CHECK(e->left->queued() == 4);
          CHECK(e->left->counters().dropped == 6);
          e->left->close();
          const auto got = co_await receive_all(e->right.get());
          CHECK(got == numbered(6, 10));
        },
        {.outbound_messages = 4, .slow = weft::slow_policy::drop_oldest});
  }

  OVER_EVERY_TRANSPORT("a full link told to refuse refuses and says what is queued") {
    Transport{}.run(
        [](ends* e, weft::scope&) -> weft::task<> {
          CHECK(e->left->send("four").ok());
          CHECK(e->left->send("six...").ok());
          const auto refused = e->left->send("!");
          CHECK(refused.code() == weft::code::resource_exhausted);
          CHECK(refused.message().find("2 messages, 10 bytes queued") != std::string::npos);
          CHECK(e->left->counters().refused == 1);
          e->left->close();
          const auto got = co_await receive_all(e->right.get());
          CHECK(got == std::vector<std::string>{"four", "six..."});
        },
        {.outbound_bytes = 10, .slow = weft::slow_policy::refuse});
  }

  OVER_EVERY_TRANSPORT("one message has room whatever the bound in bytes") {
    Transport{}.run(
        [](ends* e, weft::scope&) -> weft::task<> {
          CHECK(e->left->send("longer than ten").ok());
          auto got = co_await e->right->receive();
          CHECK((got && *got == "longer than ten"));
        },
        {.outbound_bytes = 10, .slow = weft::slow_policy::refuse}, {.inbound_bytes = 1});
  }

  OVER_EVERY_TRANSPORT("a full link told to disconnect is cut off, and the peer sees a reset") {
    Transport{}.run(
        [](ends* e, weft::scope&) -> weft::task<> {
          for (int i = 0; i < 4; ++i) CHECK(e->left->send(std::to_string(i)).ok());
          const auto cut = e->left->send("one too many");
          CHECK(cut.code() == weft::code::resource_exhausted);
          CHECK(e->left->send("after").code() == weft::code::resource_exhausted);
          auto none = co_await e->left->receive();
          CHECK_FALSE(none.has_value());
          CHECK(e->left->end().code() == weft::code::resource_exhausted);
          const auto got = co_await receive_all(e->right.get());
          CHECK(got.empty());
          CHECK(e->right->end().code() == weft::code::unavailable);
          const weft::status closed = co_await e->left->closed();
          CHECK(closed.ok());
        },
        {.outbound_messages = 4});
  }

  // 16 MB through buffers of which the kernel's are the largest, so the sender is held up for certain.
  OVER_EVERY_TRANSPORT("a receiver that does not receive holds the sender up, within its bounds, and loses nothing") {
    constexpr auto bytes = std::size_t{64} << 10;
    Transport{}.run(
        [](ends* e, weft::scope& s) -> weft::task<> {
          constexpr int count = 256;
          auto send_all = [](weft::link* l) -> weft::task<> {
            for (int i = 0; i < count; ++i) {
              while (l->queued() == 4) std::ignore = co_await weft::sleep_for(1ms);
              CHECK(l->send(std::string(bytes, static_cast<char>(i % 128))).ok());
            }
            l->close();
          };
          auto sender = s.start(send_all(e->left.get()));
          const auto& in = e->right->counters();
          for (int i = 0; i < 2'000; ++i) {
            co_await weft::yield{};
            REQUIRE(in.messages_in <= 8);
          }
          for (std::uint64_t i = 0; i < count; ++i) {
            auto got = co_await e->right->receive();
            REQUIRE(got.has_value());
            REQUIRE(*got == std::string(bytes, static_cast<char>(i % 128)));
            REQUIRE(in.messages_in <= i + 1 + 8);
            co_await weft::yield{};
          }
          co_await std::move(sender);
        },
        {.outbound_messages = 4, .slow = weft::slow_policy::refuse}, {.inbound_messages = 8});
  }

  OVER_EVERY_TRANSPORT("inbound bytes are bounded too") {
    Transport{}.run(
        [](ends* e, weft::scope&) -> weft::task<> {
          for (int i = 0; i < 50; ++i) CHECK(e->left->send(std::string(1'000, 'x')).ok());
          e->left->close();
          const auto& in = e->right->counters();
          for (std::uint64_t i = 0; i < 50; ++i) {
            auto got = co_await e->right->receive();
            REQUIRE(got.has_value());
            co_await let_pass(5);
            REQUIRE(in.bytes_in <= (i + 1) * 1'000 + 4'000);
          }
        },
        {}, {.inbound_bytes = 3'500});
  }

  OVER_EVERY_TRANSPORT("one message for many receivers is shared, not copied") {
    Transport{}.run([](ends* e, weft::scope&) -> weft::task<> {
      const auto event = std::make_shared<const std::string>(50'000, 'e');
      for (int i = 0; i < 3; ++i) CHECK(e->left->send(event).ok());
      CHECK(event.use_count() == 4);
      for (int i = 0; i < 3; ++i) {
        auto got = co_await e->right->receive();
        CHECK((got && *got == *event));
      }
    });
  }

  OVER_EVERY_TRANSPORT("links are destroyed in the middle of traffic, and the peer finds out") {
    Transport{}.run(
        [](ends* e, weft::scope& s) -> weft::task<> {
          // Each side sends as fast as it is let, and gives up when it can no more.
          auto flood = [](weft::link* l) -> weft::task<> {
            while (l->open()) {
              std::ignore = l->send(std::string(3'000, 'f'));
              co_await weft::yield{};
            }
          };
          auto drain = [](weft::link* l) -> weft::task<> {
            while (co_await l->receive()) {
            }
            l->close();
          };
          auto flooding = s.start(flood(e->right.get()));
          auto draining = s.start(drain(e->right.get()));
          for (int i = 0; i < 50; ++i) {
            CHECK(e->left->send(std::string(3'000, 'f')).ok());
            auto got = co_await e->left->receive();
            CHECK(got.has_value());
          }
          e->left.reset();
          co_await std::move(flooding);
          co_await std::move(draining);
        },
        {}, {.slow = weft::slow_policy::refuse});
  }

  OVER_EVERY_TRANSPORT("the counters tell messages and bytes, without framing") {
    Transport{}.run([](ends* e, weft::scope&) -> weft::task<> {
      CHECK(e->left->send("12345").ok());
      CHECK(e->left->send("").ok());
      auto five = co_await e->right->receive();
      auto none = co_await e->right->receive();
      CHECK((five && five->size() == 5 && none && none->empty()));
      CHECK(e->left->counters().messages_out == 2);
      CHECK(e->left->counters().bytes_out == 5);
      CHECK(e->right->counters().messages_in == 2);
      CHECK(e->right->counters().bytes_in == 5);
      CHECK_FALSE(e->right->peer().empty());
    });
  }
}
