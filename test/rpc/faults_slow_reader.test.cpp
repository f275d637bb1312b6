// A client that does not read what it asked for.
#include <doctest/doctest.h>

#include <chrono>
#include <list>
#include <string>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/runtime/scope.hpp>

#include "../support/faults.hpp"

using namespace std::chrono_literals;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using test::v1::RepeatRequest;

namespace {

constexpr int slow_readers = 8;
constexpr int replies = 100'000;  // of 1 KiB to each of them, that nobody reads
// Of these, from the handler to the client: 16 here, and what gRPC's flow control has it send, which it raises to 4 MiB.
constexpr int most_on_the_way = 5'000;

weft::task<int> say(Echo::client echo, int times) {
  int failed = 0;
  for (int i = 0; i < times; ++i) {
    EchoRequest request;
    const auto reply = co_await echo.Say(std::move(request), weft::within{5s});
    if (!reply.ok()) ++failed;
  }
  co_return failed;
}

using feeds = std::list<weft::client_reader<RepeatRequest, EchoReply>>;

weft::task<> begin_to_read(Echo::client echo, feeds* unread) {
  for (int i = 0; i < slow_readers; ++i) {
    RepeatRequest request;
    request.set_text(std::string(1'024, 'x'));
    request.set_times(replies);
    unread->push_back(echo.Repeat(std::move(request), weft::within{60s}));
    const auto first = co_await unread->back().read();
    CHECK(first.has_value());
  }
}
weft::task<int> read_on(feeds* unread, int most) {
  int came = 0;
  while (came < most) {
    const auto next = co_await unread->front().read();
    if (!next) break;
    ++came;
  }
  unread->clear();
  co_return came;
}

}  // namespace

TEST_SUITE("faults: a slow reader") {
  TEST_CASE("a client that does not read its streams suspends their writers, and nobody else's calls") {
    const test::no_descriptor_left descriptors;
    test::serving far;
    {
      weft::rpc_runtime near{{.runtime = {.log = [](std::string_view) {}}}};
      weft::peer_options own;
      own.arguments = {{"weft.connection", 2}};  // or gRPC would share one
      weft::peer slow{near, far.server.address()}, other{near, far.server.address(), own};
      feeds unread;
      weft::sync_wait(near, begin_to_read({slow}, &unread));
      // Others' calls: on the same connection, and on one of their own. In the end the writers stand still.
      const auto patience = std::chrono::steady_clock::now() + 20s;
      int written = 0;
      for (int before = -1; written != before && std::chrono::steady_clock::now() < patience;) {
        before = written;
        CHECK(weft::sync_wait(near, say({slow}, 500)) == 0);
        CHECK(weft::sync_wait(near, say({other}, 500)) == 0);
        written = far.inside([&] { return far.service.written; });
      }
      CHECK(written < slow_readers * most_on_the_way);
      MESSAGE("of " << slow_readers * replies << " replies " << written << " were on their way");
      CHECK(weft::sync_wait(near, read_on(&unread, 2 * most_on_the_way)) == 2 * most_on_the_way);  // nothing is lost
      far.wait_until_idle();
      near.stop();
      test::serving::check_tags(near);
    }
    far.end();
  }
}
