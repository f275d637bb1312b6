#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <weft/runtime/net/link.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "lobby/v1/link.pb.h"

namespace test {

/// What players say.
inline lobby::v1::ClientMessage log_in_as(std::string name) {
  lobby::v1::ClientMessage m;
  m.mutable_login()->set_name(std::move(name));
  return m;
}
inline lobby::v1::ClientMessage list_tables() {
  lobby::v1::ClientMessage m;
  m.mutable_list();
  return m;
}
/// `table` 0: any with so many seats.
inline lobby::v1::ClientMessage join_table(std::uint32_t seats, std::uint64_t table = 0) {
  lobby::v1::ClientMessage m;
  m.mutable_join()->set_seats(seats);
  m.mutable_join()->set_table(table);
  return m;
}
inline lobby::v1::ClientMessage leave_table() {
  lobby::v1::ClientMessage m;
  m.mutable_leave();
  return m;
}
inline lobby::v1::ClientMessage say(std::string text) {
  lobby::v1::ClientMessage m;
  m.mutable_say()->set_text(std::move(text));
  return m;
}
inline lobby::v1::ClientMessage look_at_hand() {
  lobby::v1::ClientMessage m;
  m.mutable_card()->set_look(true);
  return m;
}
inline lobby::v1::ClientMessage draw_card() {
  lobby::v1::ClientMessage m;
  m.mutable_card()->set_draw(true);
  return m;
}
inline lobby::v1::ClientMessage pass_turn() {
  lobby::v1::ClientMessage m;
  m.mutable_card()->set_pass(true);
  return m;
}

inline weft::code code_of(const lobby::v1::ServerMessage& m) { return static_cast<weft::code>(m.code()); }
inline bool succeeded(const lobby::v1::ServerMessage& m) { return code_of(m) == weft::code::ok; }
inline bool lists_no_table(const lobby::v1::ServerMessage& m) { return m.has_list() && m.list().tables().empty(); }

/// A player's program: asks, and keeps what comes in between. On the strand that its link was made with, for one task at a
/// time. Errors: UNAVAILABLE (the gate closed the link), DEADLINE_EXCEEDED (what was waited for did not come).
class guest {
 public:
  using message = weft::task<weft::result<lobby::v1::ServerMessage>>;
  /// What has not come within this will not come.
  static constexpr weft::duration patience = std::chrono::seconds{10};

  guest(std::unique_ptr<weft::link> gate, weft::strand& home) : link_{std::move(gate)}, home_{&home} {}

  /// Returns the message's number, which its answer carries.
  std::uint64_t send(lobby::v1::ClientMessage m) {
    m.set_seq(++last_seq_);
    send_bytes(m.SerializeAsString());
    return last_seq_;
  }
  void send_bytes(std::string bytes) { CHECK(link_->send(std::move(bytes)) == weft::status{}); }

  /// The next message that `wanted` likes; those before it are kept for later.
  message next(std::function<bool(const lobby::v1::ServerMessage&)> wanted) {
    const auto kept = std::find_if(kept_.begin(), kept_.end(), wanted);
    if (kept != kept_.end()) {
      auto found = std::move(*kept);
      kept_.erase(kept);
      co_return found;
    }
    while (true) {
      auto m = co_await weft::ok(weft::with_timeout(patience, receive()));
      if (wanted(m)) co_return m;
      kept_.push_back(std::move(m));
    }
  }
  message answer_to(std::uint64_t seq) {
    return next([seq](const auto& m) { return m.reply_to() == seq; });
  }
  /// To whichever message.
  message next_answer() {
    return next([](const auto& m) { return m.reply_to() != 0; });
  }
  message next_table_event() {
    return next([](const auto& m) { return m.has_table(); });
  }
  message next_chat_event() {
    return next([](const auto& m) { return m.has_chat(); });
  }
  message ask(lobby::v1::ClientMessage m) { return answer_to(send(std::move(m))); }
  /// Again and again, until `wanted` likes the answer.
  message ask_until(lobby::v1::ClientMessage m, std::function<bool(const lobby::v1::ServerMessage&)> wanted) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (true) {
      auto answer = co_await weft::ok(ask(m));
      if (wanted(answer)) co_return answer;
      if (std::chrono::steady_clock::now() > until) co_return weft::deadline_exceeded("no answer was as wanted");
    }
  }

  /// What has come and was not asked for.
  const std::deque<lobby::v1::ServerMessage>& kept() const { return kept_; }
  /// Ends when the connection has been closed by both sides.
  weft::task<weft::status> hang_up() {
    link_->close();
    co_return co_await weft::with_timeout(patience, closed());
  }

 private:
  message receive() {
    auto frame = co_await link_->receive();
    CHECK(home_->running_here());
    if (!frame) co_return link_->end().ok() ? weft::unavailable("the gate closed the link") : link_->end();
    lobby::v1::ServerMessage m;
    if (!m.ParseFromString(*frame)) co_return weft::internal_error("the gate sent something that is no ServerMessage");
    co_return m;
  }
  weft::task<weft::status> closed() { co_return co_await link_->closed(); }

  std::unique_ptr<weft::link> link_;
  weft::strand* home_;
  std::uint64_t last_seq_ = 0;
  std::deque<lobby::v1::ServerMessage> kept_;
};

}  // namespace test
