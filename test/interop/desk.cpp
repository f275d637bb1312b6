#include "desk.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>
#include <weft/rpc/session.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/this_call.hpp>

namespace interop {

using namespace ::desk::v1;

namespace {

// Started one after the other, awaited together.
weft::task<weft::status> take_all(Desk::client caller, std::uint32_t times, weft::scope& scope) {
  std::vector<weft::started<weft::result<TakeReply>>> out;
  for (std::uint32_t i = 1; i <= times; ++i) {
    TakeRequest request;
    request.set_key(1);
    request.set_number(i);
    out.push_back(scope.start(caller.Take(request)));
  }
  for (auto& one : out) co_await weft::ok(co_await std::move(one));
  co_return weft::status{};
}

}  // namespace

desk::desk(weft::runtime& rt)
    : service{rt, {.name = "desk", .reentrancy = weft::reentrancy::interleaved, .mailbox = 100'000}} {}

weft::reply<TakeReply> desk::Take(TakeRequest& request) {
  auto& last = last_[request.key()];
  if (request.number() <= last) ++inversions_;
  last = request.number();
  TakeReply reply;
  reply.set_taken(++taken_);
  reply.set_inversions(inversions_);
  co_return reply;
}

weft::reply<Nothing> desk::Refuse(RefuseRequest& request) {
  const auto call = co_await weft::this_call();
  call.trailers().add("x-why", "because");
  co_return weft::status{static_cast<weft::code>(request.code()), request.message(), request.details()};
}

weft::reply<Nothing> desk::Hold(HoldRequest& request) {
  ++begun_;
  most_ = std::max(most_, ++holding_);
  const auto bytes = request.ByteSizeLong();
  most_bytes_ = std::max(most_bytes_, holding_bytes_ += bytes);
  const auto how_long =
      request.milliseconds() == 0 ? std::chrono::hours{1} : std::chrono::milliseconds{request.milliseconds()};
  const auto slept = co_await weft::sleep_for(how_long);
  --holding_;
  holding_bytes_ -= bytes;
  if (!slept.ok()) {
    ++stopped_;
    co_return slept;
  }
  co_return Nothing{};
}

weft::reply<HeldReply> desk::Held(Nothing&) {
  HeldReply reply;
  reply.set_begun(begun_);
  reply.set_stopped(stopped_);
  reply.set_most(most_);
  reply.set_most_bytes(most_bytes_);
  co_return reply;
}

weft::reply<NoteReply> desk::Note(NoteRequest& request) {
  const auto call = co_await weft::this_call();
  if (const auto* note = call.metadata().find("x-note")) {
    call.headers().add("x-heard", *note);
    call.trailers().add("x-noted-bin", *note);
  }
  NoteReply reply;
  reply.set_text(request.text());
  co_return reply;
}

weft::reply<CallBackReply> desk::CallBack(CallBackRequest& request) {
  const auto call = co_await weft::this_call();
  const Desk::client caller{weft::caller_session(call).ordered(1)};
  co_await weft::ok(weft::with_scope(&take_all, caller, request.times()));
  CallBackReply reply;
  reply.set_answered(request.times());
  co_return reply;
}

}  // namespace interop
