#include <doctest/doctest.h>

#include <stdexcept>
#include <string>
#include <vector>
#include <weft/rpc/stream_generator.hpp>
#include <weft/runtime/sleep.hpp>

#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::RepeatRequest;

namespace {

struct guard {
  explicit guard(int& d) : destroyed{d} {}
  ~guard() { ++destroyed; }
  int& destroyed;
};

struct generating_service final : Echo::service {
  using service::service;

  weft::task<weft::status> Repeat(RepeatRequest& request, weft::writer<EchoReply>& out) override {
    return replies(request).into(out);
  }
  weft::generator<EchoReply> replies(RepeatRequest& request) {
    const guard g{destroyed};
    for (int i = 0; i < request.times(); ++i) {
      co_await weft::ok(weft::sleep_for(std::chrono::microseconds{request.delay_us()}));
      EchoReply reply;
      reply.set_text(request.text() + std::to_string(i));
      co_yield reply;
    }
    if (request.text() == "throws") throw std::runtime_error{"as asked"};
    if (request.text() == "fails") co_await weft::ok(weft::aborted("as asked"));
  }
  int destroyed = 0;
};

RepeatRequest repeat(std::string text, int times, std::chrono::microseconds delay = 0us) {
  RepeatRequest r;
  r.set_text(std::move(text));
  r.set_times(times);
  r.set_delay_us(delay.count());
  return r;
}

struct stage {
  stage() {
    server.add(service);
    REQUIRE(server.start().ok());
  }
  ~stage() {
    server.stop();
    service.stop_and_wait();
  }
  // What a stream brought, within the process or through gRPC.
  std::vector<std::string> listen(bool local, RepeatRequest request, weft::status& end) {
    weft::peer peer{rt, server.address()};
    const Echo::client echo = local ? Echo::client{service} : Echo::client{peer};
    return weft::sync_wait(
        rt, [](Echo::client e, RepeatRequest r, weft::status* end) -> weft::task<std::vector<std::string>> {
          std::vector<std::string> texts;
          auto feed = e.Repeat(std::move(r));
          while (auto reply = co_await feed.read()) texts.push_back(reply->text());
          *end = co_await feed.finish();
          co_return texts;
        }(echo, std::move(request), &end));
  }

  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  generating_service service{rt};
  weft::server server{rt};
};

}  // namespace

TEST_SUITE("generator") {
  TEST_CASE("what a handler yields are the replies of its stream, in order") {
    stage f;
    for (const bool local : {true, false}) {
      CAPTURE(local);
      weft::status end = weft::aborted("not yet");
      const auto texts = f.listen(local, repeat("n", 100), end);
      CHECK(end.ok());
      REQUIRE(texts.size() == 100);
      for (int i = 0; i < 100; ++i) CHECK(texts[static_cast<std::size_t>(i)] == "n" + std::to_string(i));
      CHECK(f.listen(local, repeat("none", 0), end).empty());
      CHECK(end.ok());
    }
    CHECK(f.service.destroyed == 4);
  }

  TEST_CASE("an error of its own, or what it throws, follows what it yielded") {
    stage f;
    for (const bool local : {true, false}) {
      CAPTURE(local);
      weft::status end;
      CHECK(f.listen(local, repeat("fails", 3), end).size() == 3);
      CHECK(end == weft::aborted("as asked"));
      CHECK(f.listen(local, repeat("throws", 3), end).size() == 3);
      CHECK(end == weft::unknown_error("the handler failed"));
    }
    CHECK(f.service.destroyed == 4);
  }

  TEST_CASE("when nobody listens any more it ends where it yields, and its locals are destroyed") {
    stage f;
    for (const bool local : {true, false}) {
      CAPTURE(local);
      weft::peer peer{f.rt, f.server.address()};
      const Echo::client echo = local ? Echo::client{f.service} : Echo::client{peer};
      weft::sync_wait(f.rt, [](Echo::client e, generating_service* s, int before) -> weft::task<> {
        {
          auto feed = e.Repeat(repeat("n", 1 << 30), weft::within{1h});
          CHECK((co_await feed.read()).has_value());
        }
        while (s->destroyed == before) std::ignore = co_await weft::sleep_for(1ms);
      }(echo, &f.service, f.service.destroyed));
    }
  }
}
