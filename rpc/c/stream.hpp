#pragma once
#include <weft/rpc/c/call.hpp>
#include <weft/rpc/c/conversation.hpp>
#include <weft/runtime/scope.hpp>

namespace weft::c {

/// A call of a method that streams, from weft_stream_open to its last event.
class stream final : public conversation, public under_way {
 public:
  stream(std::shared_ptr<host> owner, call_plan plan);

  static task<> run(std::shared_ptr<stream> s);
  void give_up(status why) noexcept override;

 private:
  static task<> both_ways(stream* s, scope& both);
  task<> listen();
  task<status> put(raw_message m) override;
  task<std::optional<raw_message>> get() override;
  void no_more_writes() override;

  call_plan plan_;
  raw_stream* talk_ = nullptr;
  status given_up_;
  status outcome_;
};

}  // namespace weft::c
