// What players leave behind who are gone in the middle of a call: nothing.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/process_setup.hpp>
#include <weft/runtime/dump.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/visit.hpp>

#include "../support/descriptors.hpp"
#include "../support/guest.hpp"
#include "lobby/free_addresses.hpp"
#include "lobby/process.hpp"
#include "lobby/topology.hpp"

using namespace std::chrono_literals;
using namespace lobby;
using namespace test;
using weft::code;

namespace {

constexpr std::size_t connections = 200;  // at a time
constexpr auto chat_takes = 10min;        // so that each line is under way when its player goes

// Whether it comes true before long.
bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + guest::patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
  }
  return true;
}

/// The lobby as four processes, as far as they can tell: a player's logins and lines go by gRPC.
class house {
 public:
  house() {
    const auto addresses = free_addresses(4);
    v1::Topology t;
    t.set_listen("127.0.0.1:0");
    t.mutable_gate()->set_address(addresses[0]);
    t.mutable_lobby()->set_address(addresses[1]);
    t.mutable_chat()->set_address(addresses[2]);
    t.mutable_cards()->set_address(addresses[3]);
    t.set_chat_delay_ms(std::chrono::milliseconds{chat_takes}.count());
    t.set_chat_limit_ms(std::chrono::milliseconds{chat_takes}.count());
    for (const auto r : {role::gate, role::lobby, role::cards, role::chat}) {
      auto started = process::start(r, with_defaults(t));
      REQUIRE(started.status() == weft::status{});
      processes_.push_back(std::move(*started));
    }
  }

  // The gate first: its players say goodbye to the others.
  ~house() {
    for (const auto& p : processes_) p->stop();
  }

  process& gate() { return *processes_.front(); }
  const std::vector<std::unique_ptr<process>>& processes() const { return processes_; }

  /// Of all processes.
  std::size_t live_tasks() {
    std::size_t tasks = 0;
    for (const auto& p : processes_) {
      weft::visit(p->runtime().worker_at(0), [&tasks] { tasks += weft::live_tasks_here(); });
    }
    return tasks;
  }
  std::string dump() {
    std::string text;
    for (const auto& p : processes_) text += weft::dump(p->runtime());
    return text;
  }
  /// No player is connected, and nothing runs for one that was.
  bool empty() {
    bool empty = false;
    weft::visit(gate().runtime().worker_at(0),
                [this, &empty] { empty = gate().players()->connected() == 0 && gate().players()->running() == 0; });
    return empty;
  }

 private:
  std::vector<std::unique_ptr<process>> processes_;
};

/// Players who come and go, `connections` at a time.
class crowd {
 public:
  explicit crowd(std::string gate) : gate_{std::move(gate)} {}

  enum class until { talking, on_the_way_in };

  /// So many sessions from start to end, each under a name of its own.
  weft::status come_and_go(std::size_t sessions, until when) {
    next_ = 0;
    last_ = sessions;
    when_ = when;
    return weft::sync_wait(rt_, everybody());
  }

  /// One after the other a player sits down at a table of two, and another drops while taking the last seat: so many times,
  /// and on until there was a game, if need be ten times as often. Yields how many games there were. Errors:
  /// DEADLINE_EXCEEDED (a player was left at a table where nothing happens).
  weft::result<int> drop_last_players(int times) { return weft::sync_wait(rt_, wait_for_last_players(times)); }

  /// One player, who sits down and leaves again, and waits until the lobby has no table.
  weft::status look_around() { return weft::sync_wait(rt_, caretaker()); }

 private:
  weft::task<weft::status> everybody() {
    co_await weft::with_scope(&crowd::open_doors, this);
    co_return failed_;
  }
  weft::task<> open_doors(weft::scope& all) {
    for (std::size_t i = 0; i < connections; ++i) std::ignore = all.start(&crowd::one_after_the_other, this);
    co_return;
  }
  weft::task<> one_after_the_other() {
    while (next_ < last_ && failed_.ok()) {
      const auto session = next_++;
      auto ended = when_ == until::talking ? co_await drop_talking(session) : co_await drop_on_the_way_in(session);
      if (!ended.ok()) failed_ = std::move(ended);
    }
  }

  weft::task<weft::result<guest>> connect() {
    auto link = co_await weft::ok(weft::tcp_connect(sockets_, rt_.control(), gate_));
    co_return guest{std::move(link), rt_.control()};
  }
  static v1::ClientMessage log_in(std::size_t session) { return log_in_as("player-" + std::to_string(session)); }
  static v1::ClientMessage join(std::size_t session) { return join_table(2 + static_cast<std::uint32_t>(session % 3)); }

  weft::task<weft::status> drop_talking(std::size_t session) {
    auto player = co_await weft::ok(connect());
    CHECK(code_of(co_await weft::ok(player.ask(log_in(session)))) == code::ok);
    CHECK(code_of(co_await weft::ok(player.ask(join(session)))) == code::ok);
    const auto said = player.send(say("good evening"));
    // Messages are begun in the order in which they come: an answer to this says that the call to chat is under way.
    co_await weft::ok(player.ask(look_at_hand()));
    for (const auto& m : player.kept()) CHECK(m.reply_to() != said);
    co_return co_await player.hang_up();
  }

  // With the login, or the join, or both under way.
  weft::task<weft::status> drop_on_the_way_in(std::size_t session) {
    auto player = co_await weft::ok(connect());
    const auto login = player.send(log_in(session));
    if (session % 3 == 1) co_await weft::ok(player.answer_to(login));
    if (session % 3 != 0) player.send(join(session));
    co_return co_await player.hang_up();
  }

  weft::task<weft::result<int>> wait_for_last_players(int times) {
    int games = 0;
    auto host = co_await weft::ok(connect());
    CHECK(code_of(co_await weft::ok(host.ask(log_in_as("host")))) == code::ok);
    for (int i = 0; i < times || (games == 0 && i < 10 * times); ++i) {
      const auto table = (co_await weft::ok(host.ask(join_table(2)))).join().table();
      auto last = co_await weft::ok(connect());
      co_await weft::ok(last.ask(log_in_as("last")));
      last.send(join_table(2));
      co_await weft::ok(last.hang_up());
      // Once the name is free again, whoever had it has left the table too.
      auto next = co_await weft::ok(connect());
      co_await weft::ok(next.ask_until(log_in_as("last"), &succeeded));
      const auto joined = co_await weft::ok(next.ask(join_table(2, table)));
      const bool was_taken = code_of(joined) == code::resource_exhausted;
      if (was_taken) {
        ++games;  // which is over, now that one player is left
        co_await weft::ok(host.next([table](const v1::ServerMessage& m) {
          return m.table().view().table() == table && m.table().view().over();
        }));
      }
      co_await weft::ok(host.ask(leave_table()));
      co_await weft::ok(next.hang_up());
      co_await weft::ok(host.ask_until(list_tables(), &lists_no_table));
    }
    co_await weft::ok(host.hang_up());
    co_return games;
  }

  weft::task<weft::status> caretaker() {
    auto player = co_await weft::ok(connect());
    CHECK(code_of(co_await weft::ok(player.ask(log_in_as("caretaker")))) == code::ok);
    CHECK(code_of(co_await weft::ok(player.ask(join_table(4)))) == code::ok);
    CHECK(code_of(co_await weft::ok(player.ask(leave_table()))) == code::ok);
    co_await weft::ok(player.ask_until(list_tables(), &lists_no_table));
    co_return co_await player.hang_up();
  }

  weft::runtime rt_;
  weft::io sockets_;
  const std::string gate_;
  std::size_t next_ = 0;
  std::size_t last_ = 0;
  until when_ = until::talking;
  weft::status failed_;
};

}  // namespace

TEST_CASE("10,000 sessions that drop in mid-call leave no task, no call, no descriptor and nobody in the lobby") {
  constexpr std::size_t sessions = 10'000;
  weft::wait_until_grpc_is_down();  // gRPC keeps two descriptors from its first use to the end of the process
  const auto descriptors_before = test::open_descriptors().size();
  {
    house h;
    {
      crowd players{h.gate().player_address()};
      REQUIRE(players.look_around() == weft::status{});  // now everything has started
      REQUIRE(eventually([&h] { return h.empty(); }));
      const auto tasks_before = h.live_tasks();

      CHECK(players.come_and_go(sessions, crowd::until::talking) == weft::status{});
      CHECK(players.look_around() == weft::status{});
      CHECK(eventually([&h] { return h.empty(); }));
      const bool nothing_left = eventually([&] { return h.live_tasks() == tasks_before; });
      CHECK_MESSAGE(nothing_left, h.dump());
    }
    for (const auto& p : h.processes()) {
      const auto left = p->stop();
      CHECK(left.tasks == 0);
      CHECK(left.calls == 0);
      CHECK(p->runtime().queue().counters().started > 100);  // calls went by gRPC, many in one message
    }
  }
  weft::wait_until_grpc_is_down();
  eventually([=] {
    return test::open_descriptors().size() == descriptors_before;
  });  // gRPC closes its last ones in the background
  CHECK(test::open_descriptors().size() == descriptors_before);
}

TEST_CASE("a player who drops while logging in or sitting down keeps neither the name nor the seat") {
  constexpr std::size_t sessions = 2'000;
  house h;
  crowd players{h.gate().player_address()};
  CHECK(players.come_and_go(sessions, crowd::until::on_the_way_in) == weft::status{});
  CHECK(players.look_around() == weft::status{});
  CHECK(eventually([&h] { return h.empty(); }));
  CHECK(players.come_and_go(sessions, crowd::until::talking) == weft::status{});  // under the same names
}

TEST_CASE("a player who drops while taking the last seat leaves nobody behind at a table where nothing happens") {
  house h;
  crowd players{h.gate().player_address()};
  const auto games = players.drop_last_players(300);
  REQUIRE(games.status() == weft::status{});
  CHECK(*games > 0);
}
