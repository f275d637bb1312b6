#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <weft/rpc/c/conversation.hpp>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/scope.hpp>

namespace weft::c {

/// A player's connection to a gate, from weft_link_open to its last event.
class player_link final : public conversation, public under_way {
 public:
  player_link(std::shared_ptr<host> owner, std::string address, duration patience, limits l, json_types json,
              std::uint64_t user)
      : conversation{kind::link, std::move(owner), l, json, user}, address_{std::move(address)}, patience_{patience} {}

  static task<> run(std::shared_ptr<player_link> l);
  void give_up(status why) noexcept override;

 private:
  static task<> both_ways(player_link* l, scope& both);
  task<> connect();
  task<status> put(raw_message m) override;
  task<std::optional<raw_message>> get() override;
  void no_more_writes() override;

  const std::string address_;
  const duration patience_;
  std::unique_ptr<link> link_;
  scope* both_ = nullptr;
  bool closed_here_ = false;
  std::optional<status> given_up_;
  status outcome_;
};

}  // namespace weft::c
