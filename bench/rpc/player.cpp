#include <weft/bench/rpc/frame_source.hpp>
#include <weft/bench/rpc/other_program.hpp>
#include <weft/bench/rpc/suites.hpp>
#include <weft/bench/rpc/table.hpp>
#include <weft/bench/rpc/trials.hpp>

#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/lane.hpp>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/service.hpp>

// R1, R5: what does a player feel? Cards beside a chat server that takes its time, both by RPC, through a gate that
// handles a player's messages in one of three ways: one queue (which is what blocking calls are), a task for each
// message (a goroutine for each call), lanes. Cards come in twos, as a hand of two commands does, and the second is
// overtaken when its effect comes first. The services are the same for all, only the gate differs. The source of frames
// has a core, gate and services share the other one.

namespace weft::bench {
namespace {

using namespace std::chrono_literals;
using ::bench::v1::Move;
using ::bench::v1::Table;

constexpr int players = 64;
constexpr int bursts_per_second = players * 12;  // of a player: two cards 10 times a second, and 2 lines of chat
constexpr auto most_of_a_card = 2ms;             // at random: a card looks something up
constexpr std::uint32_t card = 0, line = 1;

// Players do not take turns: who sends when is left to chance, the same for all.
frame_source::burst next_burst(std::uint64_t number) {
  const auto chance = (number + 1) * 0x9E3779B97F4A7C15ULL >> 33U;
  const auto player = chance * 0xD1B54A32D192ED03ULL >> 40U;
  if (chance % 6 == 0) return {.player = player, .kind = line, .frames = 1};
  return {.player = player, .kind = card, .frames = 2};
}

// The gate.

enum class way : std::uint8_t { one_queue, task_each, lanes };

task<> answer(link* to, Table::client table, std::string message) {
  const auto m = frame_message_from(message);
  Move move;
  move.set_player(m.player);
  move.set_serial(m.serial);
  move.set_payload(std::move(message));
  auto asked = m.kind == line ? table.Say(move) : table.Play(move);
  auto moved = co_await std::move(asked);
  const auto sent = moved.ok() ? to->send(std::move(*moved->mutable_payload())) : moved.status();
  if (!sent.ok()) std::cerr << "no reply to a player: " << sent.to_string() << '\n';  // which the source misses
}

task<> play(link* from, Table::client table, way w, scope& s) {
  static constexpr std::size_t any_number = 1U << 20U;
  lane cards{s, {.limit = any_number, .width = w == way::task_each ? any_number : 1, .name = "cards"}};
  lane chat = cards;
  if (w == way::lanes) chat = lane{s, {.limit = any_number, .name = "chat"}};
  while (auto message = co_await from->receive()) {
    auto& its = frame_message_from(*message).kind == line ? chat : cards;
    std::ignore = its.run(&answer, from, table, std::move(*message));
  }
  s.stop();
}

task<> player(std::unique_ptr<link> from, Table::client table, way w) {
  co_await with_scope(&play, from.get(), std::move(table), w);
}

task<> accept_players(tcp_listener* at, peer* to, way w, service* gate) {
  for (;;) {
    auto link = co_await at->accept();
    if (!link) co_return;
    gate->start("player", &player, std::move(link), Table::client{*to}, w);
  }
}

template <way Way>
void serve_gate(parent_link& parent) {
  pin_to_core(server_core);
  rpc_runtime rt;
  io where;
  service gate{rt, {.name = "gate"}};
  peer to{rt, "127.0.0.1:" + parent.with};
  auto listener = tcp_listen(where, gate.strand(), "127.0.0.1:0");
  if (!listener.ok()) throw std::runtime_error{listener.status().to_string()};
  gate.start("way in", &accept_players, listener->get(), &to, Way, &gate);
  parent.announce((*listener)->port());
  parent.wait_until_released();
  (*listener)->close();
  gate.stop_and_wait(stop_mode::abort);
  listener->reset();
  where.stop();
}

// A goroutine for each player in all three, and in the second one for each message, in the third one for each lane.
template <int Way>
void serve_go_gate(parent_link& parent) {
  static constexpr const char* ways[] = {"queue", "each", "lanes"};
  pin_to_core(server_core);
  become_go({"players", "--way", ways[Way], "--target", "127.0.0.1:" + parent.with});
}

figures feel(const trial_options& o, const char* gate, int chat_ms) {
  std::ostringstream with;
  with << std::chrono::microseconds{most_of_a_card}.count() << ' ' << chat_ms * 1'000 << " 1";
  child_process services{{"player", "--serve", "services", "--with", with.str()}};
  const int port = announced_port(services, 10s);
  child_process entrance{{"player", "--serve", gate, "--with", std::to_string(port)}};
  const int at = announced_port(entrance, 10s);
  pin_to_core(client_core);
  frame_source frames{at, players};
  const auto got = frames.run({.per_second = bursts_per_second, .seconds = o.seconds, .next = &next_burst});
  figures f{{"messages_per_s", got.answered_per_second}};
  add_latency(f, got.latency[card]);
  figures of_chat;
  add_latency(of_chat, got.latency[line]);
  f["chat_p50_us"] = of_chat["p50_us"];
  f["chat_p99_us"] = of_chat["p99_us"];
  f["overtaken"] = static_cast<double>(counts_of_table("127.0.0.1:" + std::to_string(port)).overtaken());
  return f;
}

// What one queue and lanes promise: order.
std::vector<std::string> verdict(const std::vector<trial_row>& rows) {
  std::vector<std::string> wrong;
  for (const auto& r : rows)
    if (!r.peer && r.name != "weft, a task a message" && r.of.at("overtaken").max > 0)
      wrong.push_back(r.name + ": cards were overtaken");
  return wrong;
}

}  // namespace

int run_player(std::span<char* const> arguments) {
  std::vector<trial> all;
  for (const int chat_ms : {1, 10, 50, 200}) {
    const auto through = [chat_ms](const char* gate) {
      return [=](const trial_options& o) { return feel(o, gate, chat_ms); };
    };
    all.push_back({"weft lanes", false, chat_ms, through("lanes")});
    all.push_back({"weft, one queue", false, chat_ms, through("one queue")});
    all.push_back({"weft, a task a message", false, chat_ms, through("task each")});
    if (!has_go()) continue;
    all.push_back({"Go, one queue", true, chat_ms, through("go one queue")});
    all.push_back({"Go, a goroutine a message", true, chat_ms, through("go task each")});
    all.push_back({"Go, a goroutine a lane", true, chat_ms, through("go lanes")});
  }
  return run_trials(
      {.suite = "player",
       .question = "Latency of a player's cards from when they were due, by the milliseconds that chat takes. (R1, R5)",
       .all = std::move(all),
       .figure = "p99_us",
       .rounds = 3,
       .seconds = 3,
       .quick_seconds = 1,
       .servers = {{"services", serve_table_as_told},
                   {"one queue", serve_gate<way::one_queue>},
                   {"task each", serve_gate<way::task_each>},
                   {"lanes", serve_gate<way::lanes>},
                   {"go one queue", serve_go_gate<0>},
                   {"go task each", serve_go_gate<1>},
                   {"go lanes", serve_go_gate<2>}},
       .verdict = verdict},
      arguments);
}

}  // namespace weft::bench
