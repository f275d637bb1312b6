#include "test_service.hpp"

#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/this_call.hpp>

namespace interop {
namespace {

using namespace grpc::testing;

constexpr int largest_reply = 64 << 20;

void echo_metadata(const weft::handled_call& call) {
  for (const auto& [key, value] : call.metadata()) {
    if (key == "x-grpc-test-echo-initial") call.headers().add(key, value);
    if (key == "x-grpc-test-echo-trailing-bin") call.trailers().add(key, value);
  }
}

weft::status asked_for(const EchoStatus& s) { return {static_cast<weft::code>(s.code()), s.message()}; }

weft::status check_size(int size) {
  if (size >= 0 && size <= largest_reply) return {};
  return weft::invalid_argument("a reply of " + std::to_string(size) + " bytes");
}

// What a client says about its request against what came.
template <class Request>
weft::status check_compression(const Request& request, bool came_compressed) {
  if (!request.has_expect_compressed() || request.expect_compressed().value() == came_compressed) return {};
  return weft::invalid_argument(came_compressed ? "the request came compressed" : "the request came uncompressed");
}

bool wants_compression(const StreamingOutputCallRequest& request) {
  for (const auto& wanted : request.response_parameters()) {
    if (wanted.compressed().value()) return true;
  }
  return false;
}

using replies_to = weft::writer<StreamingOutputCallResponse>;

weft::task<weft::status> answer(const StreamingOutputCallRequest& request, replies_to& replies) {
  for (const auto& wanted : request.response_parameters()) {
    co_await weft::ok(check_size(wanted.size()));
    co_await weft::ok(weft::sleep_for(std::chrono::microseconds{wanted.interval_us()}));
    StreamingOutputCallResponse reply;
    reply.mutable_payload()->mutable_body()->resize(static_cast<std::size_t>(wanted.size()));
    auto written =
        wanted.compressed().value() ? replies.write(std::move(reply)) : replies.write_uncompressed(std::move(reply));
    co_await weft::ok(std::move(written));
  }
  co_return request.has_response_status() ? asked_for(request.response_status()) : weft::status{};
}

}  // namespace

weft::reply<Empty> test_service::EmptyCall(Empty&) { co_return Empty{}; }

weft::reply<SimpleResponse> test_service::UnaryCall(SimpleRequest& request) {
  const auto call = co_await weft::this_call();
  echo_metadata(call);
  co_await weft::ok(check_compression(request, call.came_compressed()));
  co_await weft::ok(check_size(request.response_size()));
  if (request.response_compressed().value()) call.compress(weft::compression::gzip);
  if (request.has_response_status() && request.response_status().code() != 0) {
    co_return asked_for(request.response_status());
  }
  SimpleResponse reply;
  reply.mutable_payload()->mutable_body()->resize(static_cast<std::size_t>(request.response_size()));
  co_return reply;
}

weft::task<weft::status> test_service::StreamingOutputCall(StreamingOutputCallRequest& request, replies_to& replies) {
  const auto call = co_await weft::this_call();
  echo_metadata(call);
  if (wants_compression(request)) call.compress(weft::compression::gzip);
  co_return co_await answer(request, replies);
}

weft::reply<StreamingInputCallResponse>
test_service::StreamingInputCall(weft::reader<StreamingInputCallRequest>& requests) {
  std::size_t sum = 0;
  while (auto request = co_await requests.read()) {
    co_await weft::ok(check_compression(*request, requests.came_compressed()));
    sum += request->payload().body().size();
  }
  StreamingInputCallResponse reply;
  reply.set_aggregated_payload_size(static_cast<int>(sum));
  co_return reply;
}

weft::task<weft::status> test_service::FullDuplexCall(weft::reader<StreamingOutputCallRequest>& requests,
                                                      replies_to& replies) {
  const auto call = co_await weft::this_call();
  echo_metadata(call);
  while (auto request = co_await requests.read()) {
    if (wants_compression(*request)) call.compress(weft::compression::gzip);
    co_await weft::ok(answer(*request, replies));
  }
  co_return weft::status{};
}

weft::task<weft::status> test_service::HalfDuplexCall(weft::reader<StreamingOutputCallRequest>& requests,
                                                      replies_to& replies) {
  std::vector<StreamingOutputCallRequest> all;
  while (auto request = co_await requests.read()) all.push_back(std::move(*request));
  for (const auto& request : all) co_await weft::ok(answer(request, replies));
  co_return weft::status{};
}

}  // namespace interop
