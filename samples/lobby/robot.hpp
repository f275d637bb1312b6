#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <weft/runtime/event.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/scope.hpp>

#include "lobby/seat.hpp"
#include "lobby/tally.hpp"
#include "lobby/v1/link.pb.h"

namespace lobby {

struct robot_plan {
  std::string name;
  std::uint32_t seats = 2;  // of the tables it plays at
  std::uint64_t seed = 1;
  weft::time_point until;      // joins no table after this
  weft::time_point last_call;  // leaves the game that runs then
};

/// A player's program: logs in, plays one game after the other, chats meanwhile, like a person with a mouse. Legal, and
/// the same from the same seed as far as the others let it.
///
/// An eight and its suit are sent back to back, without waiting. What is said is not waited for, and often goes out right
/// before a command, so whatever makes commands wait behind chat shows.
class robot {
 public:
  static constexpr std::uint32_t commands_per_say = 5;  // at most
  static constexpr std::size_t most_unanswered = 3;     // then it waits before it says more
  static constexpr weft::duration least_thought = std::chrono::milliseconds{20};
  static constexpr weft::duration most_thought = std::chrono::milliseconds{60};
  /// Without news for so long it looks again.
  static constexpr weft::duration stale = std::chrono::seconds{2};
  /// An answer that takes longer will not come.
  static constexpr weft::duration patience = std::chrono::seconds{10};
  /// Leaves a table at which it could not see its hand so often in a row.
  static constexpr int most_failed_looks = 5;

  /// All of them must outlive the robot, which belongs to the link's worker.
  robot(weft::link& gate, const weft::clock& time, robot_plan plan, tally& counts);

  /// Plays until the time is up, then logs out by closing the link. Errors: UNAVAILABLE (the gate is gone),
  /// DEADLINE_EXCEEDED (an answer did not come), INTERNAL (not understood), CANCELLED, and what the login was refused with.
  weft::task<weft::status> run();

 private:
  class question;

  weft::task<weft::status> live(weft::scope& all);
  weft::task<> listen();
  void hear(v1::ServerMessage message);
  void gate_is_gone(weft::status why);

  weft::task<weft::status> log_in();
  weft::task<weft::status> play_games();
  weft::task<weft::status> play_game();
  weft::task<weft::status> leave();
  weft::task<weft::status> move();
  weft::task<weft::status> look();
  weft::task<weft::status> command(v1::Command first, std::optional<v1::Command> second);
  void take_answer(const v1::ServerMessage& answer);

  weft::task<weft::status> maybe_say(std::uint32_t before_commands);
  weft::task<weft::status> wait_until_unanswered(std::size_t at_most);
  weft::task<weft::result<bool>> news_within(weft::duration limit);
  weft::task<weft::result<v1::ServerMessage>> ask(v1::ClientMessage message);
  weft::task<weft::result<v1::ServerMessage>> answer_to(question& asked);
  weft::status send(question& asked, v1::ClientMessage message);
  weft::duration some_time(weft::duration least, weft::duration most);

  weft::link& gate_;
  const weft::clock& time_;
  const robot_plan plan_;
  tally& counts_;
  random_source random_;
  std::uint64_t last_seq_ = 0;
  std::map<std::uint64_t, question*> questions_;          // by seq
  std::map<std::uint64_t, weft::time_point> unanswered_;  // what was said, and when
  std::uint32_t commands_since_say_ = commands_per_say;
  weft::event news_;      // of the table
  weft::event answered_;  // something said, or all is lost
  weft::status gone_;     // why the gate is gone
  seat seat_;
  std::map<std::uint64_t, v1::PublicView> early_;  // by table: events that overtook the answer to Join
  std::uint64_t closed_ = 0;                       // the last table whose game could not begin
  bool joining_ = false;
  int failed_looks_ = 0;
};

/// Of two commands sent one after the other: whether the later was played first. 0: was not played.
bool overtook(const v1::CommandReply& sent_first, const v1::CommandReply& sent_second);

}  // namespace lobby
