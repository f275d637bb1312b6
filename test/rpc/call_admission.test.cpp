#include <doctest/doctest.h>
#include <grpcpp/server_context.h>

#include <string>
#include <weft/rpc/call_admission.hpp>

namespace {

class arriving final : public weft::detail::server_origin {
 public:
  std::string peer() const override { return "ipv4:127.0.0.1:1"; }
  bool request_came_compressed() noexcept override { return false; }
  void call_gone() noexcept override {}

 private:
  const grpc::ServerContext& context() const noexcept override { return context_; }
  grpc::ServerContext context_;
};

}  // namespace

TEST_SUITE("call admission") {
  TEST_CASE("a call is counted until it leaves, and a refusal once, by whichever door it came") {
    const weft::server_options options{.running = 1};
    weft::server_counters counters;
    weft::detail::call_admission admission{options, counters};
    arriving first, second, third, fourth;
    CHECK(admission.enter(first, "/test.v1.Echo/Say").ok());
    CHECK(admission.enter(second, "/test.v1.Echo/Say").code() == weft::code::resource_exhausted);
    CHECK(admission.enter_session(third, "/test.v1.Echo/Say").code() == weft::code::resource_exhausted);
    CHECK(admission.enter_from_session(fourth, "/test.v1.Echo/Say").code() == weft::code::resource_exhausted);
    CHECK(admission.running() == 4);
    CHECK(counters.refused == 3);
    for (auto* c : {&first, &second, &third, &fourth}) admission.leave(*c);
    CHECK(admission.running() == 0);
    CHECK(admission.enter(first, "/test.v1.Echo/Say").ok());
    admission.leave(first);
    CHECK(counters.refused == 3);
    CHECK(counters.denied == 0);
  }

  TEST_CASE("an identity that is not given denies a call by either door, and its session too, once each") {
    weft::server_options options;
    options.authenticate = [](const weft::caller&) -> weft::result<std::string> {
      return weft::status{weft::code::unauthenticated, "who are you"};
    };
    weft::server_counters counters;
    weft::detail::call_admission admission{options, counters};
    arriving unary, session, over_session;
    CHECK(admission.enter(unary, "/test.v1.Echo/Say").code() == weft::code::unauthenticated);
    CHECK(admission.enter_session(session, "/test.v1.Echo/Say").code() == weft::code::unauthenticated);
    CHECK(admission.enter_from_session(over_session, "/test.v1.Echo/Say").code() == weft::code::unauthenticated);
    CHECK(counters.denied == 3);
    CHECK(counters.refused == 0);
  }

  TEST_CASE("a policy denies calls by either door, and does not apply to the session that carries them") {
    weft::server_options options;
    options.policy.allow("*", {"ann"});
    weft::server_counters counters;
    weft::detail::call_admission admission{options, counters};
    arriving unary, session, over_session;
    CHECK_FALSE(admission.enter(unary, "/test.v1.Echo/Say").ok());
    CHECK(admission.enter_session(session, "/test.v1.Echo/Say").ok());
    CHECK_FALSE(admission.enter_from_session(over_session, "/test.v1.Echo/Say").ok());
    CHECK(counters.denied == 2);
  }
}
