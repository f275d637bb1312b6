#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/trace.hpp>
#include <weft/runtime/log.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/this_call.hpp>

#include "test/v1/echo.weft.hpp"

using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::trace_context;

namespace {

const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string sent = "00-" + id + "-00f067aa0ba902b7-01";

// Answers with what it was sent; what a service further down sees.
struct mirror final : Echo::service {
  using service::service;
  weft::reply<EchoReply> Say(EchoRequest& request) override {
    const auto call = co_await weft::this_call();
    EchoReply reply;
    const auto* value = call.metadata().find(request.text());
    reply.set_text(value != nullptr ? *value : "none");
    co_return reply;
  }
};

// In a process of its own: a server whose handler asks the one further down, by way of a local service if it is told so.
struct middle final : Echo::service {
  middle(weft::runtime& rt, weft::peer& down) : service{rt}, inner{rt, down} {}
  weft::reply<EchoReply> Say(EchoRequest& request) override {
    auto& ctx = co_await weft::current();
    weft::log(ctx, weft::severity::info, "asked");
    auto options = weft::call_options{};
    const auto call = co_await weft::this_call();
    if (call.metadata().find("x-own") != nullptr) options = std::move(options).with("x-player", "own");
    if (call.metadata().find("x-locally") != nullptr) {
      auto reply = co_await Echo::client{inner}.Say(request);
      co_return reply;
    }
    auto reply = co_await Echo::client{inner.down}.Say(request, std::move(options));
    co_return reply;
  }
  struct local final : Echo::service {
    local(weft::runtime& rt, weft::peer& d) : service{rt}, down{d} {}
    weft::reply<EchoReply> Say(EchoRequest& request) override {
      auto reply = co_await Echo::client{down}.Say(request);
      co_return reply;
    }
    weft::peer& down;
  };
  local inner;
};

weft::peer_options onward() {
  weft::peer_options o;
  o.middleware = {weft::trace_outgoing()};
  o.forward = {"X-Player"};
  return o;
}

// client -> middle -> mirror, each with a runtime of its own.
struct three_processes {
  three_processes() {
    far_server.add(far);
    REQUIRE(far_server.start().ok());
    down = std::make_unique<weft::peer>(rt, far_server.address(), onward());
    asked = std::make_unique<middle>(rt, *down);
    server.add(*asked);
    REQUIRE(server.start().ok());
    up = std::make_unique<weft::peer>(client, server.address());
  }
  ~three_processes() {
    client.stop();
    server.stop();
    asked->stop_and_wait();
    asked->inner.stop_and_wait();
    far_server.stop();
    far.stop_and_wait();
  }
  // What the last one got under `key`.
  std::string ask(const std::string& key, weft::call_options options = {}) {
    EchoRequest request;
    request.set_text(key);
    auto reply = weft::sync_wait(client, weft::as_task(Echo::client{*up}.Say(request, std::move(options))));
    return reply.ok() ? reply->text() : reply.status().to_string();
  }
  std::string log() const {
    std::lock_guard lock{log_mutex};
    return logged;
  }

  weft::rpc_runtime far_rt;
  mirror far{far_rt};
  weft::server far_server{far_rt};
  mutable std::mutex log_mutex;
  std::string logged;
  weft::rpc_runtime rt{{.runtime = {.log = [this](const weft::log_record& r) {
                          std::lock_guard lock{log_mutex};
                          logged += weft::to_string(r) + "\n";
                        }}}};
  std::unique_ptr<weft::peer> down;
  std::unique_ptr<middle> asked;
  weft::server server{rt, {.middleware = {weft::trace_incoming()}}};
  weft::rpc_runtime client;
  std::unique_ptr<weft::peer> up;
};

}  // namespace

TEST_SUITE("trace context") {
  TEST_CASE("a traceparent is read and written as W3C has it") {
    const auto read = trace_context::parse(sent);
    REQUIRE(read);
    CHECK(*read == trace_context{id, "00f067aa0ba902b7", true});
    CHECK(read->to_string() == sent);
    CHECK_FALSE(trace_context::parse("00-" + id + "-00f067aa0ba902b7-02")->sampled);
    CHECK(trace_context::parse("cc-" + id + "-00f067aa0ba902b7-01-later"));
    CHECK(trace_context::parse("cc-" + id + "-00f067aa0ba902b7-01"));
  }

  TEST_CASE("what is no traceparent is none") {
    for (const auto& text : std::vector<std::string>{
             "", sent + "-more", sent.substr(1), "ff" + sent.substr(2), "0G" + sent.substr(2),
             "00-" + std::string(32, '0') + "-00f067aa0ba902b7-01", "00-" + id + "-" + std::string(16, '0') + "-01",
             "00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-" + id + "-00f067aa0ba902b7-0x",
             "00-" + id + "_00f067aa0ba902b7-01", "cc-" + id + "-00f067aa0ba902b7-01later"}) {
      CAPTURE(text);
      CHECK_FALSE(trace_context::parse(text));
    }
  }

  TEST_CASE("new traces differ, and a child is another span of the same trace") {
    const auto one = trace_context::begin(true);
    CHECK(trace_context::parse(one.to_string()) == one);
    CHECK(one.trace_id != trace_context::begin(true).trace_id);
    CHECK(one.child().trace_id == one.trace_id);
    CHECK(one.child().parent_id != one.parent_id);
  }
}

TEST_SUITE("tracing") {
  TEST_CASE("calls of a handler carry the trace of the call that it serves, and so do the lines that it logs") {
    three_processes p;
    const auto got = trace_context::parse(p.ask("traceparent", weft::call_options{}.with("traceparent", sent)));
    REQUIRE(got);
    CHECK(got->trace_id == id);
    CHECK(got->parent_id != "00f067aa0ba902b7");
    CHECK(got->sampled);
    CHECK(p.log().find("traceparent=00-" + id) != std::string::npos);
    const auto other = trace_context::parse(p.ask("traceparent", weft::call_options{}.with("traceparent", sent)));
    REQUIRE(other);
    CHECK(other->parent_id != got->parent_id);
  }

  TEST_CASE("the trace passes through services within the process") {
    three_processes p;
    const auto got = trace_context::parse(
        p.ask("traceparent", weft::call_options{}.with("traceparent", sent).with("x-locally", "1")));
    REQUIRE(got);
    CHECK(got->trace_id == id);
  }

  TEST_CASE("a call without a trace, or with one that is malformed, begins one") {
    three_processes p;
    const auto none = trace_context::parse(p.ask("traceparent"));
    CHECK(none);
    const auto bad = trace_context::parse(
        p.ask("traceparent", weft::call_options{}.with("traceparent", "00-" + id + "-zz").with("tracestate", "a=1")));
    REQUIRE(bad);
    CHECK(bad->trace_id != id);
    const auto twice = trace_context::parse(
        p.ask("traceparent", weft::call_options{}.with("traceparent", sent).with("traceparent", sent)));
    REQUIRE(twice);
    CHECK(twice->trace_id != id);
    CHECK(p.ask("tracestate", weft::call_options{}.with("tracestate", "a=1")) == "none");
  }

  TEST_CASE("the tracestate travels with the trace, whole") {
    three_processes p;
    CHECK(
        p.ask("tracestate",
              weft::call_options{}.with("traceparent", sent).with("tracestate", "a=1,b=2").with("tracestate", "c=3")) ==
        "a=1,b=2,c=3");
  }
}

TEST_SUITE("forwarded metadata") {
  TEST_CASE("chosen metadata travel on, others do not, and what the handler says itself wins") {
    three_processes p;
    CHECK(p.ask("x-player", weft::call_options{}.with("x-player", "7")) == "7");
    CHECK(p.ask("x-other", weft::call_options{}.with("x-other", "7")) == "none");
    CHECK(p.ask("x-player") == "none");
    CHECK(p.ask("x-player", weft::call_options{}.with("x-player", "7").with("x-own", "1")) == "own");
  }

  TEST_CASE("a key that is none is named, and the peer's calls fail with that") {
    weft::rpc_runtime rt;
    weft::peer_options options;
    options.forward = {"two words"};
    CHECK(
        weft::peer{rt, "127.0.0.1:1", options}.problem() ==
        weft::invalid_argument("peer '127.0.0.1:1': metadata key 'two words': letters, digits, '_', '-' and '.' only"));
  }
}
