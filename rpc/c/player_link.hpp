#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <weft/rpc/c/conversation.hpp>
#include <weft/runtime/link/gate_link.hpp>
#include <weft/runtime/scope.hpp>

namespace weft::c {

class link_command;

/// A player's link to a gate, from weft_link_open to its last event: a `gate_link`, of which the program is told by events.
///
/// They are bounded without ever blocking the program or the gate: at most `told_ahead` are with the program, not yet polled
/// (`untold_` waits behind them); of what the gate says beyond `plan::messages` the oldest goes. `unpolled_` is the program's
/// threads' and the worker's; all else is the worker's.
class player_link final : public object,
                          public std::enable_shared_from_this<player_link>,
                          public under_way,
                          gate_listener {
 public:
  struct plan {
    std::string address;
    gate_link_options options;
    std::optional<std::string> greeting;
    duration greet_within = gate_link::default_within;
    std::size_t messages = 1'024;
    conversation::json_types json = {};
    std::uint64_t user = 0;
  };

  player_link(std::shared_ptr<host> owner, plan p)
      : object{kind::link, std::move(owner)}, plan_{std::move(p)}, messages_left_{plan_.messages} {}

  static task<> run(std::shared_ptr<player_link> l);
  void give_up(status why) noexcept override;

  const conversation::json_types& json() const noexcept { return plan_.json; }

  /// Asks, and ends the command. On the worker.
  void begin(std::shared_ptr<link_command> c);
  /// In its turn among the commands of its key, if that is not 0.
  static task<result<std::string>> ask(player_link* l, std::string command, std::uint64_t key, duration within,
                                       bool* sent);

 private:
  static constexpr std::uint32_t told_ahead = 16;

  struct key_lane {
    explicit key_lane(gate_link& over) : lane{over} {}
    gate_lane lane;
    int users = 0;
  };

  static task<> talk(player_link* l, scope& all);
  static task<status> greet(player_link* l, gate_link::line* first);

  void heard(std::string message) override;
  void opened() override;
  void lost(const status& why) override;

  event about(weft_event_type type) const;
  void tell(event e);
  void tell_what_waits();
  void polled();
  void make_room();
  void forget_connection(std::deque<event>::iterator at);

  const plan plan_;
  std::unique_ptr<gate_link> gate_;
  std::map<std::uint64_t, key_lane> lanes_;
  scope* all_ = nullptr;
  std::optional<status> given_up_;
  std::string greeted_with_;
  std::deque<event> untold_;
  std::size_t messages_left_;  // that may be in `untold_`
  bool dropped_ = false;
  std::atomic<std::uint32_t> unpolled_{0};
};

}  // namespace weft::c
