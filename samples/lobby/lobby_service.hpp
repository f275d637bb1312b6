#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lobby/push_queue.hpp"
#include "lobby/score_book.hpp"
#include "lobby/v1/cards.weft.hpp"
#include "lobby/v1/lobby.weft.hpp"

namespace lobby {

struct lobby_options {
  std::uint64_t first_id = 1;    ///< Of players, and of tables.
  std::uint64_t seed = 1;        ///< From which the seeds of games follow.
  score_book* scores = nullptr;  ///< Null: nobody's are kept.
};

/// Who is here, who sits where. Opens a table's game at the cards service when its last seat is taken; a table whose game
/// cannot begin is closed, and its players are free again.
class lobby_service final : public v1::Lobby::service {
 public:
  static constexpr std::size_t longest_name = 40;

  lobby_service(weft::runtime& rt, v1::Cards::client cards, v1::Gate::client gate, lobby_options options = {});

  /// For a lobby whose tables and players other processes remember, which may outlive it. The ids of one that is started
  /// later come after all of this one's, as long as it gives out fewer than 1,000 a second and the clock goes forward:
  /// the seconds since 2026 and three digits that count, 28216274001.
  static std::uint64_t first_id_at(std::chrono::system_clock::time_point start);

  weft::reply<v1::LoginReply> Login(v1::LoginRequest& request) override;
  weft::reply<v1::LogoutReply> Logout(v1::LogoutRequest& request) override;
  weft::reply<v1::ListReply> List(v1::ListRequest& request) override;
  weft::reply<v1::CreateReply> Create(v1::CreateRequest& request) override;
  weft::reply<v1::JoinReply> Join(v1::JoinRequest& request) override;
  weft::reply<v1::LeaveReply> Leave(v1::LeaveRequest& request) override;

 protected:
  // While it retires nobody comes in or sits down; it is there until everybody has stood up and every score is saved.
  bool plays_on(std::string_view method) const override;
  bool played_out() const override { return tables_.empty() && unsaved_games_ == 0; }

 private:
  struct player {
    std::string name;
    std::uint64_t table = 0;  // 0: none
  };
  struct table {
    std::uint32_t seats;
    std::vector<std::uint64_t> players;  // by seat; 0: left
    bool playing = false;
  };

  weft::result<player*> find(std::uint64_t id);
  weft::result<std::uint64_t> make_table(std::uint32_t seats);
  weft::reply<v1::JoinReply> sit_down(std::uint64_t player_id, std::uint64_t table_id);
  weft::task<weft::status> begin_game(std::uint64_t table_id, std::vector<std::uint64_t> players);
  void close_table(std::uint64_t table_id, std::uint64_t last_player);
  bool sits(std::uint64_t player_id, std::uint64_t table_id) const;
  weft::task<weft::status> stand_up(std::uint64_t player_id, bool cut_short);
  weft::task<weft::status> quit_game(v1::QuitRequest quit, std::string name);
  weft::task<> await_outcome(std::uint64_t table_id, std::map<std::uint64_t, std::string> names);
  weft::task<> save(std::string name, bool won);

  v1::Cards::client cards_;
  score_book* scores_;
  std::size_t unsaved_games_ = 0;
  std::uint64_t next_seed_;
  std::uint64_t next_player_;
  std::uint64_t next_table_;
  std::map<std::uint64_t, player> players_;
  std::set<std::string> names_;
  std::map<std::uint64_t, table> tables_;
  push_queue events_;
};

}  // namespace lobby
