// A session's stream, of which the other end is written by hand.
#include <weft/rpc/session/session_line.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/raw_message.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/rpc_service.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../../support/bound_echo.hpp"
#include "test/v1/echo.weft.hpp"
#include "wire.pb.h"

using namespace std::chrono_literals;
using test::say;
using test::v1::Echo;
using weft::code;

namespace {

using weft::raw_message;

// In place of weft's own end of sessions: says one batch on each stream, waits until the client ends it, and may say another.
class one_batch final : public weft::rpc_service {
 public:
  one_batch(weft::runtime& rt, std::string bytes, std::string farewell = {})
      : rpc_service{rt}, batch_{std::move(bytes)}, farewell_{std::move(farewell)} {}

  weft::task<weft::status> attach(weft::reader<raw_message>& requests, weft::writer<raw_message>& replies) {
    auto writing = replies.write(batch_);  // named, for g++ 12
    const auto written = co_await std::move(writing);
    ++streams;
    auto more = co_await requests.read();
    while (more) more = co_await requests.read();
    if (!farewell_.bytes.empty()) {
      auto saying = replies.write(farewell_);
      std::ignore = co_await std::move(saying);
    }
    co_return written;
  }
  std::atomic<int> streams{0};

  std::span<const weft::served_method> methods() const noexcept override {
    static constexpr weft::method_info info{"/weft.session.v1.Session/Attach", false, weft::method_kind::bidi_stream};
    static constexpr weft::served_method table[] = {
        weft::detail::served_streaming<one_batch, raw_message, raw_message, &one_batch::attach, info>::entry};
    return table;
  }

 private:
  const raw_message batch_;
  const raw_message farewell_;
};

wire::v1::Batch attach(std::uint32_t version) {
  wire::v1::Batch b;
  b.mutable_attach()->set_oldest_version(version);
  b.mutable_attach()->set_newest_version(version);
  return b;
}

// A client's session with such a server.
struct stage {
  explicit stage(const wire::v1::Batch& first) : stage{first.SerializeAsString()} {}
  explicit stage(std::string first, std::string farewell = {})
      : there{serving, std::move(first), std::move(farewell)}, server{serving, own_end_of_sessions()} {
    server.add(there);
    REQUIRE(server.start().ok());
    peer.emplace(rt, server.address());
    session.emplace(*peer);
  }
  ~stage() {
    session.reset();
    peer.reset();
    server.stop();
    there.stop_and_wait(weft::stop_mode::abort);
  }

  weft::status call(const Echo::client& to, weft::call_options options) {
    return weft::sync_wait(rt, weft::as_task(to.Say(say("x"), std::move(options)))).status();
  }

  static weft::server_options own_end_of_sessions() {
    weft::server_options o;
    o.sessions = false;
    return o;
  }
  static weft::rpc_options quiet() {
    return {.runtime = {.workers = 1, .log = [](std::string_view) {}}};
  }

  weft::rpc_runtime serving{quiet()};
  one_batch there;
  weft::server server;
  weft::rpc_runtime rt{quiet()};
  std::optional<weft::peer> peer;
  std::optional<weft::session> session;
};

weft::status status_of_a_call_to(const std::string& first_batch, const std::string& farewell = {}) {
  stage s{first_batch, farewell};
  return s.call(Echo::client{s.session->ordered(1)}, weft::within{2s});
}

}  // namespace

TEST_SUITE("session_line") {
  TEST_CASE("a server whose first batch breaks a rule is UNAVAILABLE to the calls, which are told the rule") {
    wire::v1::Batch no_attach;
    no_attach.set_pong(1);
    auto answers_nobody = attach(1);
    answers_nobody.add_replies()->set_id(7);
    const std::pair<std::string, std::string> ways[]{
        {no_attach.SerializeAsString(), "the first batch has no attach"},
        {attach(9).SerializeAsString(), "the other side speaks versions 9 to 9"},
        {"\x0a\x7f", "the bytes are not a valid"},
        {answers_nobody.SerializeAsString(), "an answer to call 7"},
    };
    for (const auto& [batch, rule] : ways) {
      const auto s = status_of_a_call_to(batch);
      CHECK_MESSAGE(s.code() == code::unavailable, s);
      CHECK_MESSAGE(s.message().find(rule) != std::string_view::npos, s);
    }
  }

  TEST_CASE("a server that still asks and calls when the client has half-closed gets no answer, and does no harm") {
    auto leaving = attach(1);
    leaving.mutable_go_away();
    wire::v1::Batch late;
    late.set_ping(7);
    auto& call = *late.add_calls();
    call.set_id(1);
    call.set_path("/test.v1.Echo/Say");
    // A call that finds no server which stays waits for its limit.
    const auto s = status_of_a_call_to(leaving.SerializeAsString(), late.SerializeAsString());
    CHECK_MESSAGE((s.code() == code::unavailable || s.code() == code::deadline_exceeded), s);
  }

  TEST_CASE(
      "a server that goes away as soon as it is reached is not reached again and again, and counts as out of reach") {
    auto leaving = attach(1);
    leaving.mutable_go_away();
    stage s{leaving};
    const Echo::client to{s.session->ordered(1)};
    CHECK(s.call(to, weft::call_options{weft::within{1s}}.wait_for_ready()).code() == code::deadline_exceeded);
    CHECK(s.there.streams >= 2);
    CHECK(s.there.streams < 10);
    CHECK(s.call(to, weft::within{5s}).code() == code::unavailable);
  }

  TEST_CASE(
      "a call of a lane without gaps that was given up, and of which nobody knows whether it ran, stops the lane") {
    auto open = attach(1);
    open.mutable_attach()->mutable_window()->set_calls(9);
    open.mutable_attach()->mutable_window()->set_bytes(9'000);
    stage s{open};
    const Echo::client to{s.session->gapless(1)};
    CHECK(s.call(to, weft::within{300ms}).code() == code::deadline_exceeded);
    CHECK(s.session->state() == weft::session_state::open);
    s.server.stop();
    while (s.session->state() == weft::session_state::open) std::this_thread::yield();
    CHECK(s.call(to, weft::within{5s}).code() == code::aborted);
  }
}
