// The server's end of a session, of which the other end is written by hand: what it makes of peers that mean no good.
#include <weft/rpc/server.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/directory.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/this_call.hpp>

#include "../support/two_sides.hpp"
#include "test/v1/echo.weft.hpp"
#include "wire.pb.h"

using namespace std::chrono_literals;
using test::two_sides;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::code;
using wire::v1::Batch;

namespace {

constexpr const char* attach_method = "weft.session.v1.Session/Attach";
constexpr const char* say_path = "/test.v1.Echo/Say";

Batch attach() {
  Batch b;
  b.mutable_attach()->set_oldest_version(1);
  b.mutable_attach()->set_newest_version(1);
  b.mutable_attach()->mutable_window()->set_calls(64);
  b.mutable_attach()->mutable_window()->set_bytes(65'536);
  return b;
}
wire::v1::Call& add_call(Batch& to, std::uint64_t id, std::string path = {}) {
  auto& c = *to.add_calls();
  c.set_id(id);
  c.set_path(std::move(path));
  return c;
}

// What came on a stream, all batches as one, and how it ended.
struct seen {
  Batch said;
  weft::status end;
};

weft::task<> read_until(weft::client_reader_writer<weft::raw_message, weft::raw_message>* stream, seen* s,
                        int replies) {
  while (s->said.replies_size() < replies) {
    const auto more = co_await stream->read();
    if (!more) co_return;
    s->said.MergeFromString(more->bytes);
  }
}

// Says the batches, each when all calls before it are answered, then that these were all, and reads to the end.
weft::task<seen> talk(const weft::directory* to, std::vector<Batch> batches) {
  auto stream = to->stream(attach_method, weft::within{30s});
  seen s;
  int calls = 0;
  for (const auto& b : batches) {
    co_await read_until(&*stream, &s, calls);
    weft::raw_message message{b.SerializeAsString()};
    std::ignore = co_await stream->write(std::move(message));
    calls += b.calls_size();
  }
  stream->writes_done();
  co_await read_until(&*stream, &s, std::numeric_limits<int>::max());
  s.end = co_await stream->finish();
  co_return s;
}
// The same without reading anything before all is said, or the stream has ended.
weft::task<seen> talk_on(const weft::directory* to, std::vector<Batch> batches) {
  auto stream = to->stream(attach_method, weft::within{30s});
  for (const auto& b : batches) {
    weft::raw_message message{b.SerializeAsString()};
    const auto written = co_await stream->write(std::move(message));
    if (!written.ok()) break;
  }
  stream->writes_done();
  seen s;
  co_await read_until(&*stream, &s, std::numeric_limits<int>::max());
  s.end = co_await stream->finish();
  co_return s;
}
seen talk_to(two_sides& e, std::vector<Batch> batches, bool reads = true) {
  weft::directory rpc;
  rpc.add("weft.session.v1.Session", *e.peer);
  return weft::sync_wait(e.client, reads ? talk(&rpc, std::move(batches)) : talk_on(&rpc, std::move(batches)));
}

// Calls its caller a thousand times at once, and counts the calls that were sent.
class pusher final : public Echo::service {
 public:
  using service::service;

  weft::reply<EchoReply> Say(EchoRequest& /*request*/) override {
    const auto call = co_await weft::this_call();
    const Echo::client back{weft::caller_session(call)};
    co_await weft::with_scope(&push, back, &sent);
    done = true;
    co_return EchoReply{};
  }

  static weft::task<> push(Echo::client back, int* sent, weft::scope& s) {
    std::array<bool, 1'000> may_have_run{};
    EchoRequest request;
    request.set_payload(std::string(64U << 10U, 'x'));
    std::vector<weft::started<weft::result<EchoReply>>> calls;
    for (auto& m : may_have_run) {
      auto options = weft::call_options{weft::within{300ms}}.may_have_run_into(m);
      calls.push_back(s.start(back.Say(request, std::move(options))));
    }
    for (auto& c : calls) std::ignore = co_await std::move(c);
    *sent = static_cast<int>(std::ranges::count(may_have_run, true));
  }

  int sent = 0;
  std::atomic<bool> done{false};
};

// Says a batch, and reads nothing while `done` is false.
weft::task<> say_and_wait(const weft::directory* to, Batch b, const std::atomic<bool>* done) {
  auto stream = to->stream(attach_method, weft::within{30s});
  weft::raw_message message{b.SerializeAsString()};
  std::ignore = co_await stream->write(std::move(message));
  while (!*done) std::ignore = co_await weft::sleep_for(1ms);
}

weft::rpc_options pumped() {
  weft::rpc_options o;
  o.runtime.workers = 0;
  o.runtime.log = [](std::string_view) {};
  return o;
}

}  // namespace

TEST_SUITE("incoming_session") {
  TEST_CASE("a path of 1,024 bytes is taken, a longer one ends the session") {
    two_sides e;
    for (const std::size_t bytes : {1'024U, 1'025U}) {
      auto b = attach();
      add_call(b, 1, "/" + std::string(bytes - 1, 'x'));
      const auto s = talk_to(e, {b});
      if (bytes == 1'024) {
        CHECK_MESSAGE(s.end.ok(), s.end);
        CHECK(s.said.replies(0).code() == static_cast<std::uint32_t>(code::unimplemented));
      } else {
        CHECK(s.end == weft::invalid_argument("session: the path of call 1 has 1025 bytes, and 1024 are taken"));
      }
    }
  }

  TEST_CASE("calls that are refused count against the window until their answers have left") {
    weft::server_options o;
    o.session_calls = 64;
    two_sides e{std::move(o)};
    for (const int calls : {64, 65}) {
      CAPTURE(calls);
      std::vector<Batch> batches;
      std::uint64_t id = 1;
      for (int i = 0; i < 10; ++i) {
        auto b = i == 0 ? attach() : Batch{};
        for (int n = 0; n < calls; ++n, ++id) add_call(b, id, id == 1 ? "/no.such.Service/Method" : "");
        batches.push_back(std::move(b));
      }
      const auto s = talk_to(e, std::move(batches));
      if (calls == 64) {
        CHECK_MESSAGE(s.end.ok(), s.end);
        CHECK(s.said.replies_size() == 640);
      } else {
        CHECK(s.end == weft::resource_exhausted("session: call 65 is beyond the window of 64 calls"));
      }
    }
  }

  TEST_CASE("a call with more metadata than the server takes is refused, and the session goes on") {
    weft::server_options o;
    o.metadata_bytes = 8'000;
    two_sides e{std::move(o)};
    auto b = attach();
    add_call(b, 1, say_path).add_metadata()->set_value(std::string(8'000, 'x'));
    auto& many = add_call(b, 2);  // 2 bytes each on the wire
    for (int i = 0; i < 300; ++i) many.add_metadata();
    add_call(b, 3).add_metadata()->set_value(std::string(7'900, 'x'));
    const auto s = talk_to(e, {b});
    CHECK_MESSAGE(s.end.ok(), s.end);
    REQUIRE(s.said.replies_size() == 3);
    for (const auto& r : s.said.replies()) {
      CAPTURE(r.id());
      CHECK(r.code() == static_cast<std::uint32_t>(r.id() == 3 ? code::ok : code::resource_exhausted));
      CHECK(r.not_run() == (r.id() != 3));
    }
  }

  TEST_CASE("as many keys may stand still as the server remembers; one more call ends the session") {
    two_sides e;
    std::vector<Batch> batches{attach()};
    std::uint64_t id = 1;
    while (id <= 65'537) {
      Batch b;
      for (int n = 0; n < 8'000 && id <= 65'537; ++n, ++id) {
        auto& c = add_call(b, id, id == 1 ? "/no.such.Service/Method" : "");
        c.set_key(id << 32U);
        c.set_gapless(true);
      }
      batches.push_back(std::move(b));
    }
    const auto s = talk_to(e, std::move(batches));
    CHECK(s.end == weft::resource_exhausted("session: 65536 keys without gaps stand still"));
  }

  TEST_CASE("an error that its caller would not read comes as its code alone") {
    two_sides e;
    auto b = attach();
    b.mutable_attach()->set_batch_bytes(1'000);
    test::v1::FailRequest fail;
    fail.set_code(static_cast<int>(code::aborted));
    fail.set_message(std::string(2'000, 'x'));
    add_call(b, 1, "/test.v1.Echo/Fail").set_request(fail.SerializeAsString());
    const auto s = talk_to(e, {b});
    CHECK_MESSAGE(s.end.ok(), s.end);
    REQUIRE(s.said.replies_size() == 1);
    CHECK(s.said.replies(0).code() == static_cast<std::uint32_t>(code::aborted));
    CHECK(s.said.replies(0).message() == "the error has 2010 bytes, and the session takes 1000");
    CHECK(!s.said.replies(0).not_run());
  }

  TEST_CASE("a peer that pings and reads no answers is not answered for ever") {
    two_sides e;
    std::vector<Batch> batches{attach()};
    batches.resize(100'000);
    for (auto& b : batches) b.set_ping(std::numeric_limits<std::uint64_t>::max());
    const auto s = talk_to(e, std::move(batches), /*reads=*/false);
    CHECK(s.end == weft::resource_exhausted("session: 65 pings wait for their answer"));
  }

  TEST_CASE("while its replies are not read nothing is read from a peer: no call is refused for it") {
    weft::server_options o;
    o.session_reply_bytes = 100'000;
    two_sides e{std::move(o)};
    test::v1::EchoRequest request;
    request.set_payload(std::string(100'000, 'x'));
    std::vector<Batch> batches;
    for (std::uint64_t id = 1; id <= 100; ++id) {
      auto b = id == 1 ? attach() : Batch{};
      add_call(b, id, id == 1 ? say_path : "").set_request(request.SerializeAsString());
      batches.push_back(std::move(b));
    }
    const auto s = talk_to(e, std::move(batches), /*reads=*/false);
    CHECK_MESSAGE(s.end.ok(), s.end);
    CHECK(s.said.replies_size() == 100);
    for (const auto& r : s.said.replies()) CHECK_MESSAGE(r.code() == 0, r.message());
  }

  TEST_CASE("a client that does not read is called no more, however wide its window is") {
    weft::rpc_runtime serving{{.runtime = {.workers = 1, .log = [](std::string_view) {}}}};
    pusher there{serving};
    weft::server_options o;
    o.session_reply_bytes = 256U << 10U;
    weft::server server{serving, std::move(o)};
    server.add(there);
    REQUIRE(server.start().ok());
    weft::rpc_runtime client{{.runtime = {.workers = 1, .log = [](std::string_view) {}}}};
    weft::peer peer{client, server.address()};
    weft::directory rpc;
    rpc.add("weft.session.v1.Session", peer);
    auto b = attach();
    b.mutable_attach()->mutable_window()->set_calls(1U << 30U);
    b.mutable_attach()->mutable_window()->set_bytes(1ULL << 40U);
    add_call(b, 1, say_path);
    weft::sync_wait(client, say_and_wait(&rpc, b, &there.done));
    client.stop();
    server.stop();
    there.stop_and_wait(weft::stop_mode::abort);
    CHECK(there.sent > 0);
    CHECK(there.sent < 500);
  }

  TEST_CASE("a server may stop at any moment of a session that ends: nothing is written after its end") {
    for (std::size_t stop_after = 0; stop_after < 16; ++stop_after) {
      CAPTURE(stop_after);
      weft::rpc_runtime serving{pumped()};
      test::echo_service service{serving};
      weft::server server{serving};
      server.add(service);
      REQUIRE(server.start().ok());
      weft::rpc_runtime client{{.runtime = {.workers = 1, .log = [](std::string_view) {}}}};
      weft::peer peer{client, server.address()};
      weft::directory rpc;
      rpc.add("weft.session.v1.Session", peer);
      std::atomic<bool> ended{false};
      std::thread talking{[&] {
        std::ignore = weft::sync_wait(client, talk(&rpc, {attach()}));
        ended = true;
      }};
      const auto before = serving.queue().counters().ended;
      while (!ended && serving.queue().counters().ended < before + stop_after) serving.pump({.max_events = 1});
      server.stop();
      talking.join();
      service.stop_and_wait();
    }
  }
}
