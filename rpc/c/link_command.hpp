#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <weft/rpc/c/host.hpp>
#include <weft/runtime/scope.hpp>

namespace weft::c {

class player_link;

/// A command of a player's, from weft_link_ask to its event. On the worker.
class link_command final : public object, public under_way {
 public:
  struct plan {
    std::string command;
    const google::protobuf::Descriptor* answer_type = nullptr;  // for JSON; null for bytes
    std::uint64_t user = 0;
    std::uint64_t key = 0;
    duration within = {};
    bool one_way = false;
  };
  link_command(std::shared_ptr<host> owner, plan p) : object{kind::call, std::move(owner)}, plan_{std::move(p)} {}

  /// In the scope of its link.
  static task<> run(std::shared_ptr<link_command> c, player_link* over);
  /// Tells the program, once.
  void end(result<std::string> answer);
  void give_up(status why) noexcept override;

 private:
  static task<> ask(link_command* c, player_link* over, scope& own);

  plan plan_;
  scope* own_ = nullptr;
  std::optional<status> given_up_;
  result<std::string> answer_ = cancelled("the link has ended");
  bool sent_ = false;
};

}  // namespace weft::c
