#include <doctest/doctest.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <semaphore>
#include <string>
#include <vector>
#include <weft/rpc/prometheus/call_metrics.hpp>
#include <weft/rpc/prometheus/runtime_metrics.hpp>
#include <weft/runtime/visit.hpp>

#include "../support/two_sides.hpp"

using namespace std::chrono_literals;
using test::two_sides;
using test::v1::Echo;

namespace {

std::string text_of(const std::vector<prometheus::MetricFamily>& families) {
  return "\n" + prometheus::TextSerializer{}.Serialize(families);
}

// What follows `line` on its line; "none" when there is no such line.
std::string value(const std::string& text, const std::string& line) {
  const auto at = text.find("\n" + line + " ");
  if (at == std::string::npos) return "none";
  const auto begin = at + line.size() + 2;
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string labels(const std::string& method, const std::string& type, const std::string& code = {}) {
  const auto last = code.empty() ? "" : "grpc_code=\"" + code + "\",";
  return "{" + last + "grpc_method=\"" + method + R"(",grpc_service="test.v1.Echo",grpc_type=")" + type + "\"}";
}

struct measured {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  weft::call_metrics calls{*registry};
  two_sides sides{{.middleware = {calls.incoming()}}, outgoing()};

  weft::peer_options outgoing() const {
    weft::peer_options o;
    o.middleware = {calls.outgoing()};
    return o;
  }
};

}  // namespace

TEST_SUITE("prometheus: calls") {
  TEST_CASE("calls are counted on both sides by method, kind and code, and their time is taken") {
    measured m;
    REQUIRE(m.sides.say("hi").ok());
    REQUIRE(m.sides.say("hi").ok());
    REQUIRE_FALSE(m.sides.say("\xff").ok());
    const auto stream = weft::sync_wait(m.sides.client, [](Echo::client echo) -> weft::task<weft::status> {
      auto talk = echo.Talk();
      co_return co_await talk.finish();
    }(Echo::client{*m.sides.peer}));
    REQUIRE(stream.ok());
    m.sides.client.stop();
    m.sides.server.stop();
    const auto text = text_of(m.registry->Collect());
    CAPTURE(text);
    for (const std::string side : {"grpc_server", "grpc_client"}) {
      CAPTURE(side);
      CHECK(value(text, side + "_started_total" + labels("Say", "unary")) == "3");
      CHECK(value(text, side + "_handled_total" + labels("Say", "unary", "OK")) == "2");
      CHECK(value(text, side + "_handled_total" + labels("Say", "unary", "InvalidArgument")) == "1");
      CHECK(value(text, side + "_handled_total" + labels("Talk", "bidi_stream", "OK")) == "1");
      CHECK(value(text, side + "_handled_total" + labels("Say", "unary", "Unknown")) == "none");
      CHECK(value(text, side + "_handling_seconds_count" + labels("Say", "unary")) == "3");
    }
  }

  TEST_CASE("calls whose client goes are counted too") {
    measured m;
    const auto reply = m.sides.say("hi", weft::within{0ms});
    REQUIRE_FALSE(reply.ok());
    test::v1::EchoRequest slow;
    slow.set_delay_us(10'000'000);
    const auto late = weft::sync_wait(
        m.sides.client, weft::as_task(Echo::client{*m.sides.peer}.Say(slow, weft::call_options{weft::within{50ms}})));
    REQUIRE(late.code() == weft::code::deadline_exceeded);
    m.sides.client.stop();
    m.sides.server.stop();
    const auto text = text_of(m.registry->Collect());
    CAPTURE(text);
    CHECK(value(text, "grpc_client_handled_total" + labels("Say", "unary", "DeadlineExceeded")) == "1");
    CHECK(value(text, "grpc_server_started_total" + labels("Say", "unary")) == "1");
  }
}

TEST_SUITE("prometheus: a runtime") {
  TEST_CASE("services, the server and workers say what they count") {
    two_sides f{{}, {}, {.name = "echo"}};
    REQUIRE(f.say("hi").ok());
    REQUIRE_FALSE(f.say("\xff").ok());
    const weft::runtime_metrics metrics{f.rt, &f.server};
    const auto text = text_of(metrics.Collect());
    CAPTURE(text);
    CHECK(value(text, R"(weft_service_started_total{service="echo",worker="0"})") == "1");
    CHECK(value(text, R"(weft_service_running{service="echo",worker="0"})") == "0");
    CHECK(value(text, R"(weft_service_waiting{service="echo",worker="0"})") == "0");
    CHECK(value(text, "weft_server_calls_total") == "2");
    CHECK(value(text, "weft_server_malformed_total") == "1");
    CHECK(value(text, "weft_client_calls") == "0");
    CHECK(value(text, R"(weft_worker_answered{worker="0"})") == "1");
    CHECK(value(text, R"(weft_worker_entries_total{worker="0"})") != "none");
  }

  TEST_CASE("services with one name on one worker are added up: a series comes once") {
    weft::rpc_runtime rt;
    test::echo_service one{rt, {.name = "echo"}}, other{rt, {.name = "echo"}};
    const weft::runtime_metrics metrics{rt};
    const auto text = text_of(metrics.Collect());
    const std::string line = R"(weft_service_waiting{service="echo",worker="0"})";
    CHECK(value(text, line) == "0");
    CHECK(text.find(line) == text.rfind(line));
    one.stop_and_wait();
    other.stop_and_wait();
  }

  TEST_CASE("a worker that is busy, or gone, is not waited for: it is said not to have answered") {
    weft::rpc_runtime rt;
    const weft::runtime_metrics metrics{rt};
    std::binary_semaphore begun{0}, may_end{0};
    REQUIRE(rt.control()
                .try_post([&] {
                  begun.release();
                  may_end.acquire();
                })
                .ok());
    begun.acquire();
    const auto busy = text_of(metrics.Collect());
    may_end.release();
    CHECK(value(busy, R"(weft_worker_answered{worker="0"})") == "0");
    CHECK(value(busy, "weft_client_calls") == "none");
    CHECK(value(text_of(metrics.Collect()), R"(weft_worker_answered{worker="0"})") == "1");
    rt.stop();
    CHECK(value(text_of(metrics.Collect()), R"(weft_worker_answered{worker="0"})") == "0");
  }
}
