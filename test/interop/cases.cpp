#include "cases.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <weft/runtime/ok.hpp>

namespace interop {
namespace {

using namespace grpc::testing;
using namespace std::chrono_literals;
using weft::ok;
using weft::status;
using weft::task;

constexpr int large_request = 271'828, large_reply = 314'159;
constexpr std::array reply_sizes{31'415, 9, 2'653, 58'979};
constexpr std::array request_sizes{27'182, 8, 1'828, 45'904};
constexpr auto limit = 20s;

status failed(const std::string& expected, const std::string& came) {
  return weft::aborted("expected " + expected + ", got " + came);
}
status expect(bool holds, const std::string& expected, const std::string& came) {
  return holds ? status{} : failed(expected, came);
}
status expect_code(const status& s, weft::code wanted) {
  return expect(s.code() == wanted, std::string{to_string(wanted)}, s.to_string());
}
template <class Reply>
status expect_zeros(const Reply& reply, int size) {
  const auto& body = reply.payload().body();
  if (body.size() != static_cast<std::size_t>(size)) {
    return failed(std::to_string(size) + " bytes", std::to_string(body.size()));
  }
  return expect(std::ranges::all_of(body, [](char c) { return c == 0; }), "zeros", "something else");
}

void fill(Payload& payload, int size) { payload.mutable_body()->resize(static_cast<std::size_t>(size)); }

weft::call_options options() { return weft::within{limit}; }

SimpleRequest large() {
  SimpleRequest request;
  request.set_response_size(large_reply);
  fill(*request.mutable_payload(), large_request);
  return request;
}

StreamingOutputCallRequest stream_request(int request_size, std::optional<int> reply_size) {
  StreamingOutputCallRequest request;
  if (reply_size) request.add_response_parameters()->set_size(*reply_size);
  fill(*request.mutable_payload(), request_size);
  return request;
}

task<status> empty_unary(target to) {
  const TestService::client service{to.peer};
  const Empty request;
  const auto reply = co_await ok(service.EmptyCall(request, options()));
  co_return expect(reply.ByteSizeLong() == 0, "an empty reply", reply.ShortDebugString());
}

task<status> large_call(weft::peer* to) {
  const TestService::client service{*to};
  const auto reply = co_await ok(service.UnaryCall(large(), options()));
  co_return expect_zeros(reply, large_reply);
}
task<status> large_unary(target to) { return large_call(&to.peer); }

task<status> client_streaming(target to) {
  auto up = TestService::client{to.peer}.StreamingInputCall(options());
  for (const int size : request_sizes) {
    StreamingInputCallRequest request;
    fill(*request.mutable_payload(), size);
    co_await ok(up.write(std::move(request)));
  }
  const auto reply = co_await ok(up.finish());
  co_return expect(reply.aggregated_payload_size() == 74'922, "74922 bytes in all",
                   std::to_string(reply.aggregated_payload_size()));
}

task<status> server_streaming(target to) {
  StreamingOutputCallRequest request;
  for (const int size : reply_sizes) request.add_response_parameters()->set_size(size);
  auto down = TestService::client{to.peer}.StreamingOutputCall(std::move(request), options());
  for (const int size : reply_sizes) {
    const auto reply = co_await down.read();
    if (!reply) co_return failed("four replies", "fewer");
    co_await ok(expect_zeros(*reply, size));
  }
  const auto more = co_await down.read();
  co_await ok(expect(!more.has_value(), "four replies", "more"));
  co_return co_await down.finish();
}

task<status> ping_pong(target to) {
  auto talk = TestService::client{to.peer}.FullDuplexCall(options());
  for (std::size_t i = 0; i < reply_sizes.size(); ++i) {
    co_await ok(talk.write(stream_request(request_sizes.at(i), reply_sizes.at(i))));
    const auto reply = co_await talk.read();
    if (!reply) co_return failed("a reply to each request", "the end");
    co_await ok(expect_zeros(*reply, reply_sizes.at(i)));
  }
  talk.writes_done();
  const auto more = co_await talk.read();
  co_await ok(expect(!more.has_value(), "the end", "another reply"));
  co_return co_await talk.finish();
}

task<status> empty_stream(target to) {
  auto talk = TestService::client{to.peer}.FullDuplexCall(options());
  talk.writes_done();
  const auto reply = co_await talk.read();
  co_await ok(expect(!reply.has_value(), "no reply", "one"));
  co_return co_await talk.finish();
}

task<status> client_compressed_unary(target to) {
  const TestService::client service{to.peer};
  auto request = large();
  request.mutable_expect_compressed()->set_value(true);
  const auto probe = co_await service.UnaryCall(request, options());
  co_await ok(expect_code(probe.status(), weft::code::invalid_argument));
  for (const bool compressed : {true, false}) {
    request.mutable_expect_compressed()->set_value(compressed);
    const auto how = compressed ? weft::compression::gzip : weft::compression::none;
    const auto reply = co_await ok(service.UnaryCall(request, options().compress(how)));
    co_await ok(expect_zeros(reply, large_reply));
  }
  co_return status{};
}

task<status> server_compressed_unary(target to) {
  const TestService::client service{to.peer};
  for (const bool compressed : {true, false}) {
    auto request = large();
    request.mutable_response_compressed()->set_value(compressed);
    bool came_compressed = !compressed;
    const auto reply = co_await ok(service.UnaryCall(request, options().came_compressed_into(came_compressed)));
    co_await ok(expect(came_compressed == compressed, compressed ? "a compressed reply" : "an uncompressed reply",
                       "the other kind"));
    co_await ok(expect_zeros(reply, large_reply));
  }
  co_return status{};
}

StreamingInputCallRequest part(int size, bool expect_compressed) {
  StreamingInputCallRequest request;
  request.mutable_expect_compressed()->set_value(expect_compressed);
  fill(*request.mutable_payload(), size);
  return request;
}

task<status> client_compressed_streaming(target to) {
  const TestService::client service{to.peer};
  constexpr int first = 27'182, second = 45'904;
  {
    auto probe = service.StreamingInputCall(options());
    std::ignore = co_await probe.write(part(first, true));
    const auto outcome = co_await probe.finish();
    co_await ok(expect_code(outcome.status(), weft::code::invalid_argument));
  }
  auto up = service.StreamingInputCall(options().compress(weft::compression::gzip));
  co_await ok(up.write(part(first, true)));
  co_await ok(up.write_uncompressed(part(second, false)));
  const auto reply = co_await ok(up.finish());
  co_return expect(reply.aggregated_payload_size() == first + second, "73086 bytes in all",
                   std::to_string(reply.aggregated_payload_size()));
}

task<status> server_compressed_streaming(target to) {
  struct {
    int size;
    bool compressed;
  } const wanted[] = {{31'415, true}, {92'653, false}};
  StreamingOutputCallRequest request;
  for (const auto& w : wanted) {
    auto& p = *request.add_response_parameters();
    p.set_size(w.size);
    p.mutable_compressed()->set_value(w.compressed);
  }
  auto down = TestService::client{to.peer}.StreamingOutputCall(std::move(request), options());
  for (const auto& w : wanted) {
    const auto reply = co_await down.read();
    if (!reply) {
      const auto why = co_await down.finish();
      co_return failed("two replies", "fewer, and " + why.to_string());
    }
    co_await ok(
        expect(down.came_compressed() == w.compressed, w.compressed ? "compressed" : "uncompressed", "the other kind"));
    co_await ok(expect_zeros(*reply, w.size));
  }
  co_return co_await down.finish();
}

const std::string trailing_bytes{"\xab\xab\xab"};

weft::call_options with_metadata() {
  return options()
      .with("x-grpc-test-echo-initial", "test_initial_metadata_value")
      .with("x-grpc-test-echo-trailing-bin", trailing_bytes);
}

status expect_metadata(const weft::metadata& headers, const weft::metadata& trailers) {
  const auto* initial = headers.find("x-grpc-test-echo-initial");
  const auto* trailing = trailers.find("x-grpc-test-echo-trailing-bin");
  if (initial == nullptr || *initial != "test_initial_metadata_value") {
    return failed("the initial metadata", initial == nullptr ? "none" : *initial);
  }
  return expect(trailing != nullptr && *trailing == trailing_bytes, "the trailing metadata", "others");
}

task<status> custom_metadata(target to) {
  const TestService::client service{to.peer};
  weft::metadata headers, trailers;
  co_await ok(service.UnaryCall(large(), with_metadata().headers_into(headers).trailers_into(trailers)));
  co_await ok(expect_metadata(headers, trailers));
  auto talk = service.FullDuplexCall(with_metadata());
  co_await ok(talk.write(stream_request(large_request, large_reply)));
  const auto reply = co_await talk.read();
  co_await ok(expect(reply.has_value(), "a reply", "the end"));
  co_await ok(talk.finish());
  const auto of_stream = co_await talk.headers();
  co_return expect_metadata(of_stream, talk.trailers());
}

task<status> expect_status(target to, std::string message, bool stream_too) {
  const TestService::client service{to.peer};
  const status wanted{weft::code::unknown, std::move(message)};
  SimpleRequest request;
  request.mutable_response_status()->set_code(static_cast<int>(wanted.code()));
  request.mutable_response_status()->set_message(wanted.message());
  const auto reply = co_await service.UnaryCall(request, options());
  co_await ok(expect(reply.status() == wanted, wanted.to_string(), reply.status().to_string()));
  if (!stream_too) co_return status{};
  StreamingOutputCallRequest stream_asks;
  *stream_asks.mutable_response_status() = request.response_status();
  auto talk = service.FullDuplexCall(options());
  std::ignore = co_await talk.write(std::move(stream_asks));
  const auto end = co_await talk.finish();
  co_return expect(end == wanted, wanted.to_string(), end.to_string());
}
task<status> status_code_and_message(target to) { return expect_status(to, "test status message", true); }
task<status> special_status_message(target to) {
  return expect_status(to, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n", false);
}

task<status> unimplemented_method(target to) {
  const Empty request;
  const auto reply = co_await TestService::client{to.peer}.UnimplementedCall(request, options());
  co_return expect_code(reply.status(), weft::code::unimplemented);
}
task<status> unimplemented_service(target to) {
  const Empty request;
  const auto reply = co_await UnimplementedService::client{to.peer}.UnimplementedCall(request, options());
  co_return expect_code(reply.status(), weft::code::unimplemented);
}

task<status> cancel_after_begin(target to) {
  auto up = TestService::client{to.peer}.StreamingInputCall(options());
  co_await up.start();
  up.cancel();
  const auto reply = co_await up.finish();
  co_return expect_code(reply.status(), weft::code::cancelled);
}

task<status> cancel_after_first_response(target to) {
  auto talk = TestService::client{to.peer}.FullDuplexCall(options());
  co_await ok(talk.write(stream_request(request_sizes[0], reply_sizes[0])));
  const auto reply = co_await talk.read();
  co_await ok(expect(reply.has_value(), "a reply", "the end"));
  talk.cancel();
  co_return expect_code(co_await talk.finish(), weft::code::cancelled);
}

// The connection is there before, so that the server has the call when its time is over.
task<status> timeout_on_sleeping_server(target to) {
  co_await ok(empty_unary(to));
  auto talk = TestService::client{to.peer}.FullDuplexCall(weft::within{1ms});
  std::ignore = co_await talk.write(stream_request(request_sizes[0], std::nullopt));
  const auto reply = co_await talk.read();
  co_await ok(expect(!reply.has_value(), "no reply", "one"));
  co_return expect_code(co_await talk.finish(), weft::code::deadline_exceeded);
}

task<status> rpc_soak(target to) {
  for (int i = 0; i < to.soak_iterations; ++i) co_await ok(large_call(&to.peer));
  co_return status{};
}

task<status> channel_soak(target to) {
  for (int i = 0; i < to.soak_iterations; ++i) {
    weft::peer_options fresh = to.options;
    fresh.arguments["weft.iteration"] = i;  // otherwise gRPC shares the connection
    weft::peer peer{to.runtime, to.peer.address(), fresh};
    co_await ok(large_call(&peer));
  }
  co_return status{};
}

#define CASE(name) \
  test_case { #name, &name }
constexpr std::array cases{CASE(empty_unary),
                           CASE(large_unary),
                           CASE(client_streaming),
                           CASE(server_streaming),
                           CASE(ping_pong),
                           CASE(empty_stream),
                           CASE(client_compressed_unary),
                           CASE(server_compressed_unary),
                           CASE(client_compressed_streaming),
                           CASE(server_compressed_streaming),
                           CASE(custom_metadata),
                           CASE(status_code_and_message),
                           CASE(special_status_message),
                           CASE(unimplemented_method),
                           CASE(unimplemented_service),
                           CASE(cancel_after_begin),
                           CASE(cancel_after_first_response),
                           CASE(timeout_on_sleeping_server),
                           CASE(rpc_soak),
                           CASE(channel_soak)};
#undef CASE

}  // namespace

std::span<const test_case> test_cases() noexcept { return cases; }

}  // namespace interop
