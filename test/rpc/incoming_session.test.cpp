// The server's end of a session, of which the other end is written by hand: what it makes of peers that mean no good.
#include <weft/rpc/server.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/directory.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/echo_service.hpp"
#include "wire.pb.h"

using namespace std::chrono_literals;
using wire::v1::Batch;

namespace {

constexpr const char* attach_method = "weft.session.v1.Session/Attach";

Batch attach() {
  Batch b;
  b.mutable_attach()->set_oldest_version(1);
  b.mutable_attach()->set_newest_version(1);
  b.mutable_attach()->mutable_window()->set_calls(64);
  b.mutable_attach()->mutable_window()->set_bytes(65'536);
  return b;
}
// What came on a stream, all batches as one, and how it ended.
struct seen {
  Batch said;
  weft::status end;
};

// Says the batches, then that these were all, and reads to the end.
weft::task<seen> talk(const weft::directory* to, std::vector<Batch> batches) {
  auto stream = to->stream(attach_method, weft::within{20s});
  for (const auto& b : batches) {
    weft::raw_message message{b.SerializeAsString()};
    std::ignore = co_await stream->write(std::move(message));
  }
  stream->writes_done();
  seen s;
  for (auto m = co_await stream->read(); m; m = co_await stream->read()) s.said.MergeFromString(m->bytes);
  s.end = co_await stream->finish();
  co_return s;
}
weft::rpc_options pumped() {
  weft::rpc_options o;
  o.runtime.workers = 0;
  o.runtime.log = [](std::string_view) {};
  return o;
}

}  // namespace

TEST_SUITE("incoming_session") {
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
