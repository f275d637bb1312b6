// A session's stream, of which the other end is written by hand.
#include <weft/rpc/session/session_line.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <memory>
#include <string>
#include <utility>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../../support/bound_echo.hpp"
#include "test/v1/echo.weft.hpp"
#include "wire.pb.h"

using namespace std::chrono_literals;
using test::say;
using test::v1::Echo;
using weft::code;

namespace {

// Says one batch on each stream, and holds it until the client ends it.
class one_batch final : public grpc::CallbackGenericService {
 public:
  explicit one_batch(const std::string& bytes) : slice_{bytes}, batch_{&slice_, 1} {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument("grpc.so_reuseport", 0);
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(this);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~one_batch() override { server_->Shutdown(std::chrono::system_clock::now()); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  class stream final : public grpc::ServerGenericBidiReactor {
   public:
    explicit stream(const grpc::ByteBuffer* batch) { StartWrite(batch); }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }
  };
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new stream{&batch_};
  }

  grpc::Slice slice_;
  grpc::ByteBuffer batch_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

wire::v1::Batch attach(std::uint32_t version) {
  wire::v1::Batch b;
  b.mutable_attach()->set_oldest_version(version);
  b.mutable_attach()->set_newest_version(version);
  return b;
}

weft::status status_of_a_call_to(const std::string& first_batch) {
  one_batch there{first_batch};
  weft::rpc_runtime rt{{.runtime = {.workers = 1, .log = [](std::string_view) {}}}};
  weft::peer peer{rt, there.address()};
  auto session = peer.session();
  const auto options = weft::call_options{weft::within{10s}};
  return weft::sync_wait(rt, weft::as_task(Echo::client{session.ordered(1)}.Say(say("x"), options))).status();
}

}  // namespace

TEST_SUITE("session_line") {
  TEST_CASE("a server whose first batch breaks a rule is UNAVAILABLE to the calls, which are told the rule") {
    wire::v1::Batch no_attach;
    no_attach.set_pong(1);
    auto answers_nobody = attach(1);
    answers_nobody.add_replies()->set_id(7);
    const std::pair<std::string, std::string> ways[]{
        {no_attach.SerializeAsString(), "the first batch has no attach"},
        {attach(9).SerializeAsString(), "the other side speaks versions 9 to 9"},
        {"\x0a\x7f", "the bytes are not a valid"},
        {answers_nobody.SerializeAsString(), "an answer to call 7"},
    };
    for (const auto& [batch, rule] : ways) {
      const auto s = status_of_a_call_to(batch);
      CHECK_MESSAGE(s.code() == code::unavailable, s);
      CHECK_MESSAGE(s.message().find(rule) != std::string_view::npos, s);
    }
  }
}
