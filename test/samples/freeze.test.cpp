// A chat process that hangs: cards go on as if nothing were.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/config.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>

#include "../support/guest.hpp"
#include "../support/temporary_file.hpp"
#include "lobby/child_process.hpp"
#include "lobby/demo_report.hpp"
#include "lobby/free_addresses.hpp"
#include "lobby/latency.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;
using weft::code;

namespace {

constexpr int players = 4;
constexpr auto warm_up = 1s;
constexpr auto frozen_for = 3s;
constexpr auto chat_limit = 500ms;
constexpr auto chat_takes = 200ms;  // so that no line is answered that is said once the process is being stopped
// Instrumented code is several times slower, and shares the processor with two more such processes.
constexpr double most_card_p99 = WEFT_ASAN || WEFT_TSAN ? 100 : most_card_p99_ms;
// Something else on the machine may get in the way of one attempt; what blocks cards gets in the way of all.
constexpr int most_attempts = 3;
constexpr std::uint64_t least_cards = WEFT_ASAN || WEFT_TSAN ? 100 : 500;
constexpr auto time_to_start = 30s;
constexpr auto time_to_stop = 30s;

/// The lobby as three processes.
class house {
 public:
  house() : addresses_{free_addresses(4)} {
    const temporary_file topology{
        "{\"listen\": \"" + addresses_[0] + "\", \"gate\": {\"address\": \"" + addresses_[1] +
        "\"}, \"lobby\": {\"local\": true}, \"cards\": {\"address\": \"" + addresses_[2] +
        "\"}, \"chat\": {\"address\": \"" + addresses_[3] +
        "\"}, \"handling\": \"LANES\", \"journalMaxMs\": 2, \"chatDelayMs\": " + std::to_string(chat_takes.count()) +
        ", \"chatLimitMs\": " + std::to_string(chat_limit.count()) + "}"};
    for (const char* role : {"cards", "chat", "gate"}) {
      processes_.push_back(&all_.start(role, {LOBBY_BINARY, "--role", role, "--config", topology.name()}));
    }
    for (auto* p : processes_) {
      const bool ready = all_.wait(time_to_start, [p] { return !p->running() || !p->output().empty(); });
      REQUIRE_MESSAGE((ready && p->running()), p->report());
    }
  }

  const std::string& gate() const { return addresses_[0]; }
  child_process& chat() { return *processes_[1]; }

  /// Ends the processes in order; each says that it leaves no task and no call.
  void close() {
    CHECK(all_.stop(time_to_stop).empty());
    for (const auto* p : processes_) {
      CHECK_MESSAGE(p->succeeded(), p->report());
      const auto left = parse_left_over(p->output().back());
      CHECK_MESSAGE((left && left->tasks == 0 && left->calls == 0), p->output().back());
    }
  }

 private:
  std::vector<std::string> addresses_;
  child_processes all_;
  std::vector<child_process*> processes_;
};

/// What players saw of a time in which chat was frozen, and of the second before it.
struct observation {
  weft::status failed;
  latency cards_before;
  latency cards;
  std::map<code, int> lines;  // that were said and ended while it was frozen, by how they ended

  // A machine that is busy with something else makes cards slow with and without chat.
  bool cards_were_fast() const {
    return cards.percentile_ms(0.99) < std::max(most_card_p99, 2 * cards_before.percentile_ms(0.99));
  }
};

/// Players at tables of two who do nothing but look at their hands and talk.
class party {
 public:
  explicit party(house& h) : house_{h} {}
  ~party() {
    weft::visit(rt_.worker_at(0), [this] { everybody_.clear(); });  // where their links belong
  }

  weft::status meet() { return weft::sync_wait(rt_, arrive()); }

  /// Afterwards chat works again.
  observation freeze_chat() {
    seen_ = {};
    seen_.failed = weft::sync_wait(rt_, play_without_chat());
    return seen_;
  }

 private:
  struct player {
    guest connection;
    std::uint64_t line = 0;  // that waits for its answer; 0: none
  };

  weft::task<weft::status> arrive() {
    for (int i = 0; i < players; ++i) co_await weft::ok(come());
    co_return co_await talk();
  }

  weft::task<weft::status> play_without_chat() {
    co_await weft::ok(play_for(warm_up));
    co_await weft::ok(talk());  // so that no line is under way
    seen_.cards_before = std::exchange(seen_.cards, {});
    seen_.lines.clear();

    house_.chat().signal(SIGSTOP);
    const auto played = co_await play_for(frozen_for);
    house_.chat().signal(SIGCONT);
    co_await weft::ok(played);
    co_return co_await talk();
  }

  weft::task<weft::status> come() {
    auto link = co_await weft::ok(weft::tcp_connect(sockets_, rt_.control(), house_.gate()));
    auto& p = *everybody_.emplace_back(std::make_unique<player>(player{.connection{std::move(link), rt_.control()}}));
    const auto name = "player-" + std::to_string(everybody_.size());
    CHECK(code_of(co_await weft::ok(p.connection.ask(log_in_as(name)))) == code::ok);
    CHECK(code_of(co_await weft::ok(p.connection.ask(join_table(2)))) == code::ok);
    co_return weft::status{};
  }

  // Everybody is heard, sooner or later.
  weft::task<weft::status> talk() {
    for (auto& p : everybody_) {
      if (p->line != 0) co_await weft::ok(p->connection.answer_to(std::exchange(p->line, 0)));
      co_await weft::ok(p->connection.ask_until(say("hello"), &succeeded));
    }
    co_return weft::status{};
  }

  // All of them, each one command after the other and one line after the other.
  weft::task<weft::status> play_for(weft::duration time) {
    co_await weft::with_scope(&party::play_all, this, std::chrono::steady_clock::now() + time);
    co_return seen_.failed;
  }
  weft::task<> play_all(weft::time_point until, weft::scope& all) {
    for (auto& p : everybody_) std::ignore = all.start(&party::play_and_talk, this, p.get(), until);
    co_return;
  }
  weft::task<> play_and_talk(player* p, weft::time_point until) {
    while (std::chrono::steady_clock::now() < until && seen_.failed.ok()) {
      if (p->line == 0) p->line = p->connection.send(say("is anybody there?"));
      if (auto s = co_await look(*p); !s.ok()) seen_.failed = std::move(s);
    }
  }

  weft::task<weft::status> look(player& p) {
    const auto begin = std::chrono::steady_clock::now();
    const auto asked = p.connection.send(look_at_hand());
    while (true) {
      const auto answer = co_await weft::ok(p.connection.next_answer());
      if (answer.reply_to() == p.line) {
        ++seen_.lines[code_of(answer)];
        p.line = 0;
        continue;
      }
      CHECK(answer.reply_to() == asked);
      CHECK(code_of(answer) == code::ok);
      seen_.cards.record(std::chrono::steady_clock::now() - begin);
      co_return weft::status{};
    }
  }

  house& house_;
  weft::runtime rt_;
  weft::io sockets_;
  std::vector<std::unique_ptr<player>> everybody_;
  observation seen_;
};

std::string to_text(const char* when, const latency& cards) {
  const auto ms = [&cards](double share) { return std::to_string(cards.percentile_ms(share)) + " ms"; };
  return std::string{when} + ": " + std::to_string(cards.count()) + " cards, p50 " + ms(0.5) + ", p99 " + ms(0.99);
}

}  // namespace

TEST_CASE("with chat frozen for 3 s, lines end in DEADLINE_EXCEEDED, cards stay fast, and chat comes back") {
  house h;
  {
    party p{h};
    REQUIRE(p.meet() == weft::status{});
    observation seen;
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
      seen = p.freeze_chat();
      MESSAGE(to_text("before", seen.cards_before), to_text("; frozen", seen.cards));
      REQUIRE(seen.failed == weft::status{});
      CHECK(seen.cards.count() > least_cards);
      // Everybody has said something every 500 ms, and a little more for the way: half of that has to be seen.
      const auto unanswered = seen.lines[code::deadline_exceeded];
      CHECK(unanswered >= players * (frozen_for / chat_limit) / 2);
      CHECK(seen.lines.size() == 1);
      if (seen.cards_were_fast()) break;
    }
    CHECK(seen.cards_were_fast());
  }
  h.close();
}
