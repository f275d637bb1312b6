// A chat process that hangs: cards go on as if nothing were.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
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

#include "../support/free_addresses.hpp"
#include "../support/guest.hpp"
#include "lobby/child_process.hpp"
#include "lobby/demo_report.hpp"
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
constexpr std::uint64_t least_cards = WEFT_ASAN || WEFT_TSAN ? 100 : 1'000;
constexpr auto time_to_start = 30s;
constexpr auto time_to_stop = 30s;

class temporary_file {
 public:
  explicit temporary_file(const std::string& content) {
    const file_descriptor opened{::mkstemp(name_.data())};
    REQUIRE(opened.open());
    std::ofstream{name_} << content;
  }
  ~temporary_file() { ::unlink(name_.c_str()); }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;

  const std::string& name() const { return name_; }

 private:
  std::string name_ = (std::filesystem::temp_directory_path() / "weft-test-XXXXXX").string();
};

/// The lobby as three processes.
class house {
 public:
  house() : addresses_{free_addresses<4>()} {
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
  std::array<std::string, 4> addresses_;
  child_processes all_;
  std::vector<child_process*> processes_;
};

/// Players at tables of two who do nothing but look at their hands and talk.
class party {
 public:
  explicit party(house& h) : house_{h} {}

  weft::status meet() { return weft::sync_wait(rt_, whole_party()); }

  /// How long cards took before chat was frozen, and while it was.
  const latency& cards_before() const { return cards_before_; }
  const latency& cards() const { return cards_; }
  /// Of the lines that were said while chat was frozen.
  const std::map<code, int>& frozen_lines() const { return frozen_lines_; }

 private:
  struct player {
    guest connection;
    std::uint64_t line = 0;  // that waits for its answer; 0: none
  };

  weft::task<weft::status> whole_party() {
    auto outcome = co_await evening();
    everybody_.clear();  // here, where their links belong
    co_return outcome;
  }

  weft::task<weft::status> evening() {
    for (int i = 0; i < players; ++i) co_await weft::ok(come());
    co_await weft::ok(talk());
    co_await weft::ok(play_for(warm_up));
    cards_before_ = std::exchange(cards_, {});
    co_await weft::ok(talk());  // so that no line is under way
    lines_.clear();

    house_.chat().signal(SIGSTOP);
    const auto played = co_await play_for(frozen_for);
    house_.chat().signal(SIGCONT);
    co_await weft::ok(played);
    frozen_lines_ = lines_;

    co_await weft::ok(talk());
    for (auto& p : everybody_) co_await weft::ok(p->connection.hang_up());
    co_return weft::status{};
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
    co_return failed_;
  }
  weft::task<> play_all(weft::time_point until, weft::scope& all) {
    for (auto& p : everybody_) std::ignore = all.start(&party::play_and_talk, this, p.get(), until);
    co_return;
  }
  weft::task<> play_and_talk(player* p, weft::time_point until) {
    while (std::chrono::steady_clock::now() < until && failed_.ok()) {
      if (p->line == 0) p->line = p->connection.send(say("is anybody there?"));
      if (auto s = co_await look(*p); !s.ok()) failed_ = std::move(s);
    }
  }

  weft::task<weft::status> look(player& p) {
    const auto begin = std::chrono::steady_clock::now();
    const auto asked = p.connection.send(look_at_hand());
    while (true) {
      const auto answer = co_await weft::ok(p.connection.next_answer());
      if (answer.reply_to() == p.line) {
        ++lines_[code_of(answer)];
        p.line = 0;
        continue;
      }
      CHECK(answer.reply_to() == asked);
      CHECK(code_of(answer) == code::ok);
      cards_.record(std::chrono::steady_clock::now() - begin);
      co_return weft::status{};
    }
  }

  house& house_;
  weft::runtime rt_;
  weft::io sockets_;
  std::vector<std::unique_ptr<player>> everybody_;
  latency cards_before_;
  latency cards_;
  std::map<code, int> lines_;  // how they ended
  std::map<code, int> frozen_lines_;
  weft::status failed_;
};

std::string to_text(const char* when, const latency& cards) {
  const auto ms = [&cards](double share) { return std::to_string(cards.percentile_ms(share)) + " ms"; };
  return std::string{when} + ": " + std::to_string(cards.count()) + " cards, p50 " + ms(0.5) + ", p99 " + ms(0.99);
}

}  // namespace

TEST_CASE(
    "with the chat process frozen for 3 s, lines end in DEADLINE_EXCEEDED, cards stay fast, and chat comes back") {
  house h;
  {
    party p{h};
    CHECK(p.meet() == weft::status{});

    MESSAGE(to_text("before", p.cards_before()), to_text("; frozen", p.cards()));
    CHECK(p.cards().count() > least_cards);
    // A machine that is busy with something else makes cards slow with and without chat.
    CHECK(p.cards().percentile_ms(0.99) < std::max(most_card_p99, 2 * p.cards_before().percentile_ms(0.99)));

    // Each player has said at least every 500 ms something, and a little more for the way.
    CHECK(p.frozen_lines().size() == 1);
    CHECK(p.frozen_lines().contains(code::deadline_exceeded));
    CHECK(p.frozen_lines().begin()->second >= players * (frozen_for / chat_limit - 1));
  }
  h.close();
}
