#include <weft/rpc/reflection.hpp>

#include <doctest/doctest.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/rpc/health.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "../support/echo_service.hpp"
#include "grpc/reflection/v1/reflection.weft.hpp"
#include "grpc/reflection/v1alpha/reflection.weft.hpp"
#include "test/v1/extended.pb.h"

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;

namespace {

template <class ServerReflection, class Request, class Response>
struct fixture {
  using request = Request;
  using response = Response;

  fixture() {
    CHECK(test::v1::Extended::descriptor() != nullptr);  // linked in
    reflection.offers(echo);
    server.add(echo);
    server.add(reflection);
    REQUIRE(server.start().ok());
    peer = std::make_unique<weft::peer>(rt, server.address());
  }
  ~fixture() {
    server.stop();
    reflection.stop_and_wait(weft::stop_mode::abort);
    echo.stop_and_wait(weft::stop_mode::abort);
  }

  /// One stream: all the questions, then all the answers.
  std::vector<Response> ask(std::vector<Request> questions) {
    return weft::sync_wait(
        rt,
        [](typename ServerReflection::client client, std::vector<Request> all) -> weft::task<std::vector<Response>> {
          std::vector<Response> answers;
          auto talk = client.ServerReflectionInfo();
          for (auto& q : all) {
            const auto written = co_await talk.write(q);
            CHECK(written.ok());
            auto answer = co_await talk.read();
            REQUIRE(answer.has_value());
            CHECK(answer->original_request().SerializeAsString() == q.SerializeAsString());
            answers.push_back(std::move(*answer));
          }
          const auto end = co_await talk.finish();
          CHECK(end == weft::status{});
          co_return answers;
        }(*peer, std::move(questions)));
  }
  Response ask(Request question) { return ask(std::vector<Request>{std::move(question)}).front(); }
  Response symbol(const std::string& name) {
    Request r;
    r.set_file_containing_symbol(name);
    return ask(r);
  }
  Response extension(const std::string& type, int number) {
    Request r;
    r.mutable_file_containing_extension()->set_containing_type(type);
    r.mutable_file_containing_extension()->set_extension_number(number);
    return ask(r);
  }
  static Request file(const std::string& name) {
    Request r;
    r.set_file_by_filename(name);
    return r;
  }
  static std::vector<std::string> files(const Response& r) {
    std::vector<std::string> names;
    for (const auto& bytes : r.file_descriptor_response().file_descriptor_proto()) {
      google::protobuf::FileDescriptorProto f;
      CHECK(f.ParseFromString(bytes));
      names.push_back(f.name());
    }
    return names;
  }

  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  test::echo_service echo{rt};
  weft::reflection reflection{rt};
  weft::server server{rt};
  std::unique_ptr<weft::peer> peer;
};

using fixture_v1 = fixture<v1::ServerReflection, v1::ServerReflectionRequest, v1::ServerReflectionResponse>;
using fixture_v1alpha =
    fixture<v1alpha::ServerReflection, v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse>;
using names = std::vector<std::string>;

template <class Response>
void check_error(const Response& r, weft::code c, const std::string& message) {
  CHECK(r.error_response().error_code() == static_cast<int>(c));
  CHECK(r.error_response().error_message() == message);
}

}  // namespace

TEST_SUITE("reflection") {
  TEST_CASE_TEMPLATE("what is offered is listed, and reflection itself", f, fixture_v1, fixture_v1alpha) {
    f stage;
    typename f::request r;
    r.set_list_services("");
    names all;
    const auto answer = stage.ask(r);
    for (const auto& s : answer.list_services_response().service()) all.push_back(s.name());
    CHECK(all ==
          names{"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "test.v1.Echo"});
  }

  TEST_CASE_TEMPLATE("a symbol of any kind is found in its file", f, fixture_v1, fixture_v1alpha) {
    f stage;
    for (const char* symbol : {"test.v1.Echo", "test.v1.Echo.Say", "test.v1.EchoRequest", "test.v1.EchoRequest.text"}) {
      CAPTURE(symbol);
      CHECK(f::files(stage.symbol(symbol)) == names{"test/v1/echo.proto"});
    }
    for (const char* symbol : {"test.v1.Extended.Colour", "test.v1.Extended.BLACK", "test.v1.note"}) {
      CAPTURE(symbol);
      CHECK(f::files(stage.symbol(symbol)).front() == "test/v1/extended.proto");
    }
  }

  TEST_CASE("a file comes with what it imports, which comes once a stream") {
    fixture_v1alpha f;
    const names all{"test/v1/extended.proto", "google/protobuf/duration.proto", "test/v1/wallet.proto"};
    const auto answers =
        f.ask({fixture_v1alpha::file(all[0]), fixture_v1alpha::file(all[0]), fixture_v1alpha::file(all[2])});
    CHECK(fixture_v1alpha::files(answers[0]) == all);
    CHECK(fixture_v1alpha::files(answers[1]) == names{all[0]});
    CHECK(fixture_v1alpha::files(answers[2]) == names{all[2]});
  }

  TEST_CASE("a file is described as its .proto says") {
    fixture_v1alpha f;
    const auto answer = f.ask(fixture_v1alpha::file("test/v1/extended.proto"));
    google::protobuf::FileDescriptorProto described, expected;
    REQUIRE(described.ParseFromString(answer.file_descriptor_response().file_descriptor_proto(0)));
    test::v1::Extended::descriptor()->file()->CopyTo(&expected);
    CHECK(described.SerializeAsString() == expected.SerializeAsString());
    CHECK(described.message_type(0).nested_type_size() == 2);
  }

  TEST_CASE_TEMPLATE("extensions are found by their number, and listed", f, fixture_v1, fixture_v1alpha) {
    f stage;
    CHECK(f::files(stage.extension("test.v1.Extended", 150)).front() == "test/v1/extended.proto");
    typename f::request r;
    r.set_all_extension_numbers_of_type("test.v1.Extended");
    const auto numbers = stage.ask(r).all_extension_numbers_response();
    CHECK(numbers.base_type_name() == "test.v1.Extended");
    REQUIRE(numbers.extension_number_size() == 2);
    CHECK(numbers.extension_number(0) == 100);
    CHECK(numbers.extension_number(1) == 150);
  }

  TEST_CASE_TEMPLATE("what is not known is an error that names it, and the stream goes on", f, fixture_v1,
                     fixture_v1alpha) {
    f stage;
    const auto nowhere = weft::code::not_found;
    check_error(stage.symbol("test.v1.Nothing"), nowhere, "'test.v1.Nothing' is not known here");
    check_error(stage.extension("test.v1.Extended", 151), nowhere,
                "'test.v1.Extended' with the extension '151' is not known here");
    check_error(stage.extension("test.v1.Nothing", 1), nowhere,
                "'test.v1.Nothing' with the extension '1' is not known here");
    typename f::request r;
    r.set_all_extension_numbers_of_type("test.v1.Nothing");
    check_error(stage.ask(r), nowhere, "'test.v1.Nothing' is not known here");
    const auto answers = stage.ask({f::file("nothing.proto"), typename f::request{}, f::file("test/v1/echo.proto")});
    check_error(answers[0], nowhere, "'nothing.proto' is not known here");
    check_error(answers[1], weft::code::invalid_argument, "the request asks for nothing");
    CHECK(f::files(answers[2]) == names{"test/v1/echo.proto"});
  }
}
