#pragma once
#include <stdexcept>
#include <tuple>
#include <utility>
#include <weft/runtime/sleep.hpp>

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
    v1::EchoReply reply;
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
    co_return weft::status{static_cast<weft::code>(request.code()), request.message()};
  }

  weft::reply<v1::EchoReply> Throw(v1::EchoRequest& request) override {
    throw std::runtime_error{request.text()};
    co_return v1::EchoReply{};
  }

  int begun = 0;  // on the strand
  int stopped = 0;
};

}  // namespace test
