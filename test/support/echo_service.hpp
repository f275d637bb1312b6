#pragma once
#include <atomic>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/this_call.hpp>

#include "test/v1/echo.weft.hpp"

namespace test {

/// Does what test/proto/test/v1/echo.proto says.
class echo_service final : public v1::Echo::service {
 public:
  using service::service;

  weft::reply<v1::EchoReply> Say(v1::EchoRequest& request) override {
    assert_here();
    ++begun;
    auto& ctx = co_await weft::current();
    const auto call = co_await weft::this_call();
    send_back(call);
    v1::EchoReply reply;
    reply.set_peer(call.peer());
    reply.set_identity(call.identity());
    const auto left = ctx.deadline() - strand().home().read_clock();
    reply.set_left_us(std::chrono::duration_cast<std::chrono::microseconds>(left).count());
    if (request.delay_us() != 0) {
      const auto slept = co_await weft::sleep_for(std::chrono::microseconds{request.delay_us()});
      if (!slept.ok()) {
        ++stopped;
        co_return slept;
      }
    }
    reply.set_text(request.text());
    reply.set_payload(std::move(*request.mutable_payload()));
    co_return reply;
  }

  weft::reply<v1::EchoReply> Fail(v1::FailRequest& request) override {
    send_back(co_await weft::this_call());
    co_return weft::status{static_cast<weft::code>(request.code()), request.message()};
  }

  weft::task<weft::status> Repeat(v1::RepeatRequest& request, weft::writer<v1::EchoReply>& replies) override {
    assert_here();
    for (int i = 0; i < request.times(); ++i) {
      if (auto s = co_await pause(request.delay_us()); !s.ok()) co_return s;
      v1::EchoReply reply;
      reply.set_text(request.text() == "malformed" ? "\xff" : request.text());
      if (auto s = co_await replies.write(std::move(reply)); !s.ok()) co_return s;
      ++written;
    }
    co_return weft::status{};
  }

  weft::reply<v1::EchoReply> Join(weft::reader<v1::EchoRequest>& requests) override {
    assert_here();
    v1::EchoReply reply;
    while (auto request = co_await requests.read()) {
      if (request->text() == "fail") co_return weft::aborted("as asked");
      if (auto s = co_await pause(request->delay_us()); !s.ok()) co_return s;
      if (!reply.text().empty()) reply.mutable_text()->append(" ");
      reply.mutable_text()->append(request->text());
    }
    auto& ctx = co_await weft::current();
    ctx.stopped() ? ++stopped : ++joined;
    co_return reply;
  }

  weft::task<weft::status> Talk(weft::reader<v1::EchoRequest>& requests,
                                weft::writer<v1::EchoReply>& replies) override {
    assert_here();
    const auto call = co_await weft::this_call();
    send_back(call);
    if (call.metadata().find("x-at-once") != nullptr) call.send_headers();
    while (auto request = co_await requests.read()) {
      if (request->text() == "fail") co_return weft::aborted("as asked");
      if (request->text() == "throw") throw std::runtime_error{"as asked"};
      if (auto s = co_await pause(request->delay_us()); !s.ok()) co_return s;
      v1::EchoReply reply;
      reply.set_text(request->text());
      if (auto s = co_await replies.write(std::move(reply)); !s.ok()) co_return s;
      if (request->text() == "bye") break;
    }
    auto& ctx = co_await weft::current();
    ctx.stopped() ? ++stopped : ++talked;
    co_return weft::status{};
  }

  weft::reply<v1::EchoReply> Throw(v1::EchoRequest& request) override {
    throw std::runtime_error{request.text()};
    co_return v1::EchoReply{};
  }

  std::atomic<int> begun = 0;  // changed on the strand
  int stopped = 0;
  int joined = 0;   // ends of requests that Join saw
  int talked = 0;   // and Talk
  int written = 0;  // replies of Repeat that found room

 private:
  static void send_back(const weft::handled_call& call) {
    for (const auto& [key, value] : call.metadata()) {
      if (key == "x-header") call.headers().add(key, value);
      if (key == "x-trailer-bin") call.trailers().add(key, value);
      if (key == "x-bad") call.headers().add("bad key", value);
      if (key == "x-compress") call.compress(weft::compression::gzip);
    }
  }
  weft::task<weft::status> pause(std::int64_t us) {
    if (us == 0) co_return weft::status{};
    auto s = co_await weft::sleep_for(std::chrono::microseconds{us});
    if (!s.ok()) ++stopped;
    co_return s;
  }
};

}  // namespace test
