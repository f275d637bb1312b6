#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/link/gate_link.hpp>
#include <weft/runtime/link/gate_message.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../../support/tcp_stage.hpp"

using namespace std::chrono_literals;
using weft::code;

namespace {

constexpr weft::gate_link_options quick{.first_wait = 2ms, .longest_wait = 20ms};

/// A body: field 4, a short string.
std::string body(std::string_view text) {
  std::string m{"\x22"};
  m.push_back(static_cast<char>(text.size()));
  m.append(text);
  return m;
}
std::string text_of(std::string_view message) {
  return std::string{message.substr(2, static_cast<unsigned char>(message[1]))};
}

/// One connection of a gate, which the test plays.
struct gate_side {
  test::links link;

  weft::task<std::pair<std::string, std::uint64_t>> asked() const {
    auto m = co_await link->receive();
    REQUIRE(m);
    co_return std::pair{text_of(*m), weft::read_gate_head(*m)->reply_to};  // field 1 of a command is its number
  }
  void answer(std::uint64_t number, std::string_view text) const {
    auto m = body(text);
    weft::number_command(m, number);
    REQUIRE(link->send(std::move(m)).ok());
  }
  void refuse(std::uint64_t number, code why, std::string_view text) const {
    std::string m{"\x10"};
    m.push_back(static_cast<char>(why));
    m.push_back('\x1a');
    m.push_back(static_cast<char>(text.size()));
    m.append(text);
    weft::number_command(m, number);
    REQUIRE(link->send(std::move(m)).ok());
  }
};

weft::task<gate_side> next_player(const test::stage* at) {
  auto link = co_await at->listener->accept();
  REQUIRE(link);
  co_return gate_side{std::move(link)};
}

class told final : public weft::gate_listener {
 public:
  void heard(std::string message) override { text += text_of(message) + " "; }
  void opened() override { text += "open "; }
  void lost(const weft::status& why) override {
    CHECK(why.code() == code::unavailable);
    text += "lost ";
  }
  std::string text;
};

std::string text_or_error(const weft::result<std::string>& r) { return r.ok() ? text_of(*r) : r.status().message(); }

}  // namespace

TEST_SUITE("gate link") {
  TEST_CASE("commands are numbered, and each gets the answer with its number, in whatever order those come") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), quick};
      co_await weft::with_scope(
          [](test::stage* at, weft::gate_link* player, weft::scope& s) -> weft::task<> {
            std::ignore = s.start(player->run());
            auto one = s.start(player->ask(body("one")));
            auto two = s.start(player->ask(body("two")));
            auto bad = s.start(player->ask(body("bad")));
            auto gate = co_await next_player(at);
            const auto first = co_await gate.asked();
            const auto second = co_await gate.asked();
            const auto third = co_await gate.asked();
            CHECK(first == std::pair{std::string{"one"}, std::uint64_t{1}});
            CHECK(second == std::pair{std::string{"two"}, std::uint64_t{2}});
            gate.answer(99, "nobody's");
            gate.refuse(third.second, code::not_found, "no such card");
            gate.answer(second.second, "2");
            gate.answer(first.second, "1");
            const auto a = co_await std::move(one);
            const auto b = co_await std::move(two);
            const auto c = co_await std::move(bad);
            CHECK(text_or_error(a) == "1");
            CHECK(text_or_error(b) == "2");
            CHECK(c.status() == weft::not_found("no such card"));
            CHECK(player->connected());
            s.stop();
          },
          at, &player);
      s.stop();
    });
  }

  TEST_CASE("a break ends what was sent with UNAVAILABLE, and what comes then goes out after the next greeting") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), quick};
      co_await weft::with_scope(
          [](test::stage* at, weft::gate_link* player, weft::scope& s) -> weft::task<> {
            auto greet = [](weft::gate_link::line& gate) -> weft::task<weft::status> {
              auto answer = co_await gate.ask(body("login"));
              co_return answer.status();
            };
            std::ignore = s.start(player->run(greet));
            auto lost = s.start(player->ask(body("lost")));
            {
              auto gate = co_await next_player(at);
              const auto login = co_await gate.asked();
              CHECK(login.first == "login");
              gate.answer(login.second, "hello");
              const auto sent = co_await gate.asked();
              CHECK(sent.first == "lost");
            }
            const auto a = co_await std::move(lost);
            CHECK(a.code() == code::unavailable);
            CHECK_FALSE(player->connected());
            auto later = s.start(player->ask(body("later")));
            auto gate = co_await next_player(at);
            const auto login = co_await gate.asked();
            CHECK(login == std::pair{std::string{"login"}, std::uint64_t{3}});
            gate.answer(login.second, "hello again");
            const auto sent = co_await gate.asked();
            CHECK(sent.first == "later");
            gate.answer(sent.second, "4");
            const auto b = co_await std::move(later);
            CHECK(text_or_error(b) == "4");
            CHECK(player->connections() == 2);
            s.stop();
          },
          at, &player);
      s.stop();
    });
  }

  TEST_CASE("it waits for a gate that is not there yet, and a command gives up at its time") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      auto closed = weft::tcp_listen(*at->net, at->strand(), "127.0.0.1:0");
      REQUIRE(closed.ok());
      const auto address = (*closed)->address();
      (*closed)->close();
      const weft::status gone = co_await (*closed)->closed();
      REQUIRE(gone.ok());
      weft::gate_link player{*at->net, at->strand(), address, quick};
      co_await weft::with_scope(
          [](test::stage* at, const std::string* address, weft::gate_link* player, weft::scope& s) -> weft::task<> {
            std::ignore = s.start(player->run());
            const auto early = co_await player->ask(body("early"), 30ms);
            CHECK(early.code() == code::deadline_exceeded);
            CHECK(player->trouble().code() == code::unavailable);
            auto listener = weft::tcp_listen(*at->net, at->strand(), *address);
            REQUIRE(listener.ok());
            auto asking = s.start(player->ask(body("now")));
            auto accepted = co_await (*listener)->accept();
            const gate_side gate{std::move(accepted)};
            const auto sent = co_await gate.asked();
            CHECK(sent.first == "now");
            gate.answer(sent.second, "yes");
            const auto answer = co_await std::move(asking);
            CHECK(text_or_error(answer) == "yes");
            s.stop();
          },
          at, &address, &player);
      s.stop();
    });
  }

  TEST_CASE("a greeting that is refused for good ends it with that error") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), quick};
      auto greet = [](weft::gate_link::line& gate) -> weft::task<weft::status> {
        auto answer = co_await gate.ask(body("login"));
        co_return answer.status();
      };
      auto running = s.start(player.run(greet));
      auto gate = co_await next_player(at);
      const auto login = co_await gate.asked();
      gate.refuse(login.second, code::permission_denied, "banned");
      const weft::status ended = co_await std::move(running);
      CHECK(ended == weft::permission_denied("banned"));
      s.stop();
    });
  }

  TEST_CASE("commands of one lane follow each other, and lanes overlap") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), quick};
      weft::gate_lane cards{player};
      weft::gate_lane chat{player};
      co_await weft::with_scope(
          [](test::stage* at, weft::gate_link* player, weft::gate_lane* cards, weft::gate_lane* chat,
             weft::scope& s) -> weft::task<> {
            std::ignore = s.start(player->run());
            auto slow = s.start(chat->ask(body("hi")));
            auto first = s.start(cards->ask(body("eight")));
            auto second = s.start(cards->ask(body("hearts")));
            auto gate = co_await next_player(at);
            const auto a = co_await gate.asked();
            const auto b = co_await gate.asked();
            CHECK(a.first == "hi");
            CHECK(b.first == "eight");
            gate.answer(b.second, "played");
            const auto c = co_await gate.asked();  // chat has no answer yet
            CHECK(c.first == "hearts");
            gate.answer(c.second, "played");
            gate.answer(a.second, "said");
            const auto played = co_await std::move(second);
            CHECK(text_or_error(played) == "played");
            s.stop();
          },
          at, &player, &cards, &chat);
      s.stop();
    });
  }

  TEST_CASE("events come in order, and of too many the oldest make room") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      auto options = quick;
      options.events = 3;
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), options};
      co_await weft::with_scope(
          [](test::stage* at, weft::gate_link* player, weft::scope& s) -> weft::task<> {
            std::ignore = s.start(player->run());
            auto asking = s.start(player->ask(body("ready")));
            auto gate = co_await next_player(at);
            const auto sent = co_await gate.asked();
            for (const auto* text : {"a", "b", "c", "d", "e"}) REQUIRE(gate.link->send(body(text)).ok());
            gate.answer(sent.second, "yes");
            const auto answer = co_await std::move(asking);
            CHECK(answer.ok());
            CHECK(player->dropped_events() == 2);
            std::string all;
            while (auto e = player->poll_event()) all += text_of(*e);
            CHECK(all == "cde");
            s.stop();
          },
          at, &player);
      s.stop();
    });
  }

  TEST_CASE("a listener is told of openings, messages and losses, in their order") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      told all;
      auto options = quick;
      options.listener = &all;
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), options};
      co_await weft::with_scope(
          [](test::stage* at, weft::gate_link* player, weft::scope& s) -> weft::task<> {
            std::ignore = s.start(player->run());
            for (int i = 0; i < 2; ++i) {
              while (player->connected()) co_await weft::yield{};  // the end of the connection is on its way
              bool sent = false;
              auto asking = s.start(player->ask(body("ready"), 5s, &sent));
              CHECK_FALSE(sent);
              auto gate = co_await next_player(at);
              const auto asked = co_await gate.asked();
              REQUIRE(gate.link->send(body("a")).ok());
              REQUIRE(gate.link->send(body("b")).ok());
              gate.answer(asked.second, "yes");
              const auto answer = co_await std::move(asking);
              CHECK(answer.ok());
              CHECK(sent);
            }
            const auto unsent = co_await player->ask(body("later"), 0ms);
            CHECK_FALSE(unsent.ok());
            s.stop();
          },
          at, &player);
      CHECK(all.text == "open a b lost open a b ");
      CHECK_FALSE(player.poll_event());
      s.stop();
    });
  }

  TEST_CASE("one command more than may be without an answer is refused and not sent") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      auto options = quick;
      options.commands = 1;
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), options};
      auto two = weft::result<std::string>{std::string{}};
      co_await weft::with_scope(
          [](weft::gate_link* player, weft::result<std::string>* two, weft::scope& s) -> weft::task<> {
            std::ignore = s.start(player->ask(body("one"), 1h));
            co_await weft::yield{};
            *two = co_await player->ask(body("two"));
            s.stop();
          },
          &player, &two);
      CHECK(two.code() == code::resource_exhausted);
      s.stop();
    });
  }

  TEST_CASE("a gate that talks nonsense is left, and tried again") {
    test::run([](test::stage* at, weft::scope& s) -> weft::task<> {
      weft::gate_link player{*at->net, at->strand(), at->listener->address(), quick};
      co_await weft::with_scope(
          [](test::stage* at, weft::gate_link* player, weft::scope& s) -> weft::task<> {
            std::ignore = s.start(player->run());
            auto gate = co_await next_player(at);
            REQUIRE(gate.link->send("\x08").ok());
            const auto end = co_await gate.link->receive();
            CHECK_FALSE(end);
            auto again = co_await next_player(at);
            CHECK(again.link->open());
            s.stop();
          },
          at, &player);
      s.stop();
    });
  }
}
