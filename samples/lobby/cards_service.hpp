#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>
#include <weft/runtime/clock.hpp>
#include <weft/runtime/event.hpp>
#include <weft/runtime/limit.hpp>

#include "lobby/eights.hpp"
#include "lobby/load.hpp"
#include "lobby/push_queue.hpp"
#include "lobby/v1/cards.weft.hpp"

namespace lobby {

/// Tables of crazy eights. Commands go through a journal first, so handlers of one player that run at the same time may be
/// played in another order than they came: whoever wants order awaits each reply.
///
/// A table needs no exclusive handlers. What changes one (a command out of the journal, a turn's time-out, somebody's leaving)
/// does so in one step on the service's strand, up to the event that tells of it, without a co_await in between. What held
/// before the journal is asked again after it: the rules refuse a command whose turn is over or whose player has left. So no
/// command waits for another's way through the journal, at its own table or at others.
class cards_service final : public v1::Cards::service {
 public:
  /// A command waits for the journal from `journal_least` up to `journal_most`.
  static constexpr weft::duration journal_least = std::chrono::microseconds{200};
  /// A table whose game is over closes when everybody has quit, and after this in any case: until then who plays or looks
  /// is told how it ended.
  static constexpr weft::duration farewell = std::chrono::seconds{3};

  /// Who has a turn for `turn_limit` is moved for. `commands` limits those on their way through the journal; leaving is not
  /// limited by it.
  cards_service(weft::runtime& rt, v1::Gate::client gate, weft::duration journal_most, weft::duration turn_limit,
                load commands = {});

  weft::reply<v1::OpenReply> Open(v1::OpenRequest& request) override;
  weft::reply<v1::CommandReply> Play(v1::PlayRequest& request) override;
  weft::reply<v1::QuitReply> Quit(v1::QuitRequest& request) override;
  weft::reply<v1::OutcomeReply> Outcome(v1::OutcomeRequest& request) override;

 protected:
  // While it retires no table is opened, those that are open are played to their end.
  bool plays_on(std::string_view method) const override { return method != v1::Cards::Open_info.path; }
  bool played_out() const override { return tables_.empty(); }

 private:
  struct table {
    table(std::uint64_t id, std::vector<std::uint64_t> players, std::uint64_t seed)
        : id{id},
          players{std::move(players)},
          played(this->players.size()),
          game{static_cast<int>(this->players.size()), seed} {}

    std::uint64_t id;
    std::vector<std::uint64_t> players;  // by seat; 0: has quit
    std::vector<std::uint64_t> played;   // commands, by seat
    eights game;
    int turn = 0;        // as of the last change
    weft::event turned;  // somebody else has the turn, or the game is over
    weft::event empty;
    bool cut_short = false;
    v1::OutcomeReply outcome;  // once it is over
    weft::event over;
  };

  weft::result<int> seat_of(std::uint64_t table_id, std::uint64_t player) const;
  weft::task<weft::status> write_journal();
  weft::task<> watch_turns(std::shared_ptr<table> t);
  void changed(table& t);

  weft::duration journal_most_;
  weft::duration turn_limit_;
  weft::limit commands_;
  random_source random_{1};
  std::map<std::uint64_t, std::shared_ptr<table>> tables_;  // those that are played
  push_queue events_;
};

}  // namespace lobby
