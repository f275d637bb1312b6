// The console `weft`, against a server in this process.
#include <doctest/doctest.h>
#include <google/protobuf/descriptor.pb.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weft/rpc/health.hpp>
#include <weft/rpc/reflection.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>

#include "../support/certificates.hpp"
#include "../support/echo_service.hpp"
#include "../support/program.hpp"
#include "test/v1/extended.pb.h"

using namespace std::chrono_literals;
using words = std::vector<std::string>;

namespace {

struct stage {
  explicit stage(bool reflects = true, weft::server_options options = {}) : server{rt, std::move(options)} {
    CHECK(test::v1::Extended::descriptor() != nullptr);  // linked in
    server.add(echo);
    server.add(health);
    reflection.offers(echo);
    reflection.offers(health);
    if (reflects) server.add(reflection);
    REQUIRE(server.start().ok());
  }
  ~stage() {
    server.stop();
    reflection.stop_and_wait(weft::stop_mode::abort);
    health.stop_and_wait(weft::stop_mode::abort);
    echo.stop_and_wait(weft::stop_mode::abort);
  }
  /// `weft verb ADDRESS more...`
  words command(const std::string& verb, const words& more) const {
    words all{WEFT_BINARY, verb, server.address()};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  test::program::ending run(const std::string& verb, const words& more, std::string_view in = {}) const {
    test::program p{command(verb, more)};
    p.say(in);
    return p.end();
  }

  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  test::echo_service echo{rt};
  weft::health health{rt};
  weft::reflection reflection{rt};
  weft::server server;
};

test::program::ending run(const words& more) {
  words all{WEFT_BINARY};
  all.insert(all.end(), more.begin(), more.end());
  return test::program{std::move(all)}.end();
}

void check_usage(const test::program::ending& e, const std::string& why) {
  CHECK(e.code == 2);
  CHECK(e.out == "");
  CHECK(e.errors == "weft: " + why + "\nweft --help lists what it does\n");
}

/// A file of descriptors, as protoc writes it.
class descriptor_file {
 public:
  explicit descriptor_file(const google::protobuf::FileDescriptor& f) {
    const int fd = ::mkstemp(name_.data());
    REQUIRE(fd >= 0);
    ::close(fd);
    google::protobuf::FileDescriptorSet set;
    f.CopyTo(set.add_file());
    std::ofstream out{name_, std::ios::binary};
    REQUIRE(set.SerializeToOstream(&out));
  }
  ~descriptor_file() { ::unlink(name_.c_str()); }
  descriptor_file(const descriptor_file&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_ = (std::filesystem::temp_directory_path() / "weft-test-XXXXXX").string();
};

}  // namespace

TEST_SUITE("tool") {
  TEST_CASE("list names the services, and the methods of one") {
    const stage s;
    const auto services = s.run("list", {});
    CHECK(services.errors == "");
    CHECK(services.out ==
          "grpc.health.v1.Health\ngrpc.reflection.v1.ServerReflection\ngrpc.reflection.v1alpha.ServerReflection\n"
          "test.v1.Echo\n");
    CHECK(services.code == 0);
    const auto methods = s.run("list", {"grpc.health.v1.Health"});
    CHECK(methods.out == "grpc.health.v1.Health/Check\ngrpc.health.v1.Health/Watch\n");
    const auto unknown = s.run("list", {"test.v1.Nothing"});
    CHECK(unknown.code == 1);
    CHECK(unknown.errors == "NOT_FOUND: 'test.v1.Nothing' is not known here\n");
  }

  TEST_CASE("describe shows a symbol as its .proto has it") {
    const stage s;
    const auto message = s.run("describe", {"test.v1.RepeatRequest"});
    CHECK(message.errors == "");
    CHECK(message.out == "// test.v1.RepeatRequest: a message, in test/v1/echo.proto\n"
                         "message RepeatRequest {\n  string text = 1;\n  int32 times = 2;\n  int64 delay_us = 3;\n}\n");
    for (const char* name : {"test.v1.Echo/Repeat", "test.v1.Echo.Repeat"}) {
      const auto method = s.run("describe", {name});
      CHECK(method.code == 0);
      CHECK(method.out.starts_with("// test.v1.Echo.Repeat: a method, in test/v1/echo.proto\n"
                                   "rpc Repeat(.test.v1.RepeatRequest) returns (stream .test.v1.EchoReply);\n"));
      CHECK(method.out.find("// test.v1.RepeatRequest: its request") != std::string::npos);
      CHECK(method.out.find("// test.v1.EchoReply: its reply") != std::string::npos);
    }
    CHECK(s.run("describe", {"test.v1.Extended.Colour"}).out.find("BLACK = 1;") != std::string::npos);
    CHECK(s.run("describe", {"test.v1.Extended"}).out.find(".google.protobuf.Duration") != std::string::npos);
    const auto unknown = s.run("describe", {"test.v1.Nothing"});
    CHECK(unknown.code == 1);
    CHECK(unknown.errors == "NOT_FOUND: 'test.v1.Nothing' is not known here\n");
  }

  TEST_CASE("call prints the reply, readable or on a line") {
    const stage s;
    const auto pretty = s.run("call", {"test.v1.Echo/Say", R"({"text": "hi", "payload": "AQI="})", "--timeout=never"});
    CHECK(pretty.errors == "");
    CHECK(pretty.code == 0);
    CHECK(pretty.out.starts_with("{\n \"text\": \"hi\",\n \"payload\": \"AQI=\",\n"));
    CHECK(pretty.out.ends_with("\n}\n"));
    const auto compact = s.run("call", {"--compact", "test.v1.Echo.Say", R"({"text": "hi"})"});
    CHECK(compact.out.starts_with(R"({"text":"hi",)"));
    CHECK(compact.out.find('\n') == compact.out.size() - 1);
  }

  TEST_CASE("a request comes from stdin or a file as well, and is empty without") {
    const stage s;
    CHECK(s.run("call", {"test.v1.Echo/Say", "-", "--compact"}, R"( {"text": "from stdin"} )")
              .out.starts_with(R"({"text":"from stdin",)"));
    const descriptor_file file{*test::v1::EchoRequest::descriptor()->file()};
    std::ofstream{file.name()} << R"({"text": "from a file"})";
    CHECK(s.run("call", {"test.v1.Echo/Say", "@" + file.name(), "--compact"})
              .out.starts_with(R"({"text":"from a file",)"));
    CHECK(s.run("call", {"grpc.health.v1.Health/Check", "--compact"}).out == "{\"status\":\"SERVING\"}\n");
    const auto two = s.run("call", {"test.v1.Echo/Say", "-"}, "{}{}");
    CHECK(two.code == 1);
    CHECK(two.errors == "INVALID_ARGUMENT: test.v1.Echo.Say takes one request, and there are several\n");
  }

  TEST_CASE("an error is CODE: message on stderr, with exit code 1") {
    const stage s;
    const auto failed = s.run("call", {"test.v1.Echo/Fail", R"({"code": 5, "message": "no such room"})"});
    CHECK(failed.code == 1);
    CHECK(failed.out == "");
    CHECK(failed.errors == "NOT_FOUND: no such room\n");
    const auto late = s.run("call", {"test.v1.Echo/Say", R"({"delayUs": 10000000})", "--timeout", "50ms"});
    CHECK(late.code == 1);
    CHECK(late.errors == "DEADLINE_EXCEEDED: /test.v1.Echo/Say took too long\n");
    const auto bad = s.run("call", {"test.v1.Echo/Say", R"({"texd": "hi"})"});
    CHECK(bad.code == 1);
    CHECK(bad.errors.starts_with("INVALID_ARGUMENT: that JSON is no test.v1.EchoRequest: texd: "));
    const auto method = s.run("call", {"test.v1.Echo/Sey"});
    CHECK(method.errors == "UNIMPLEMENTED: test.v1.Echo has no method 'Sey': see weft list\n");
    CHECK(s.run("call", {"Sey"}).errors.starts_with("INVALID_ARGUMENT: 'Sey' names no method"));
    const auto nobody = run({"call", "127.0.0.1:1", "a.B/C", "--timeout", "5s"});
    CHECK(nobody.code == 1);
    CHECK(nobody.errors.starts_with("UNAVAILABLE: "));
  }

  TEST_CASE("metadata are sent, and those that come back are shown when asked for") {
    const stage s;
    const auto e = s.run("call", {"test.v1.Echo/Say", "--metadata", "x-header: one",
                                  "--metadata=x-trailer-bin:/wA=", "--verbose", "--compact"});
    CHECK(e.code == 0);
    CHECK(e.errors.find("headers:\n  x-header: one\n") != std::string::npos);
    CHECK(e.errors.find("trailers:\n  x-trailer-bin: /wA=\n") != std::string::npos);
    CHECK(s.run("call", {"test.v1.Echo/Say", "--metadata", "x-header: one"}).errors == "");
    const auto talk = s.run("call", {"test.v1.Echo/Talk", "{}", "--metadata", "x-header:one", "--verbose"});
    CHECK(talk.errors.find("  x-header: one\n") != std::string::npos);
    CHECK(talk.errors.find("trailers:") != std::string::npos);
  }

  TEST_CASE("a server's stream is printed reply by reply") {
    const stage s;
    const auto e = s.run("call", {"test.v1.Echo/Repeat", R"({"text": "again", "times": 3})", "--compact"});
    CHECK(e.errors == "");
    CHECK(e.out == "{\"text\":\"again\"}\n{\"text\":\"again\"}\n{\"text\":\"again\"}\n");
    CHECK(e.code == 0);
    const auto late = s.run(
        "call", {"test.v1.Echo/Repeat", R"({"text": "a", "times": 9, "delayUs": 10000000})", "--timeout", "50ms"});
    CHECK(late.code == 1);
    CHECK(late.errors.starts_with("DEADLINE_EXCEEDED: "));
  }

  TEST_CASE("a client's stream takes many values and prints one reply") {
    const stage s;
    CHECK(s.run("call", {"test.v1.Echo/Join", R"({"text": "a"}{"text": "b"} {"text": "c"})", "--compact"}).out ==
          "{\"text\":\"a b c\"}\n");
    CHECK(s.run("call", {"test.v1.Echo/Join", "-", "--compact"}, "{\"text\": \"a\"}\n{\"text\": \"b\"}\n").out ==
          "{\"text\":\"a b\"}\n");
    CHECK(s.run("call", {"test.v1.Echo/Join", "--compact"}).out == "{}\n");
    const auto failed = s.run("call", {"test.v1.Echo/Join", R"({"text": "fail"}{"text": "b"})"});
    CHECK(failed.code == 1);
    CHECK(failed.errors == "ABORTED: as asked\n");
  }

  TEST_CASE("a stream both ways answers each request as it comes from stdin") {
    const stage s;
    test::program p{s.command("call", {"test.v1.Echo/Talk", "-", "--compact"})};
    for (const char* text : {"one", "two", "three"}) {
      const auto json = std::string{R"({"text":")"} + text + R"("})";
      p.say(json);
      CHECK(p.line() == json);
    }
    const auto e = p.end();
    CHECK(e.errors == "");
    CHECK(e.out == "");
    CHECK(e.code == 0);
  }

  TEST_CASE("values from stdin may be cut anywhere, and hold what looks like their ends") {
    const stage s;
    test::program p{s.command("call", {"test.v1.Echo/Join", "-", "--compact"})};
    const std::string all = "\n{\"text\":\"}{\\\"[\\\\\"}{\"payload\":\"\" , \"text\":\"]\"}\t{\"text\":\"c\"}\n";
    for (const char c : all) p.say({&c, 1});
    const auto e = p.end();
    CHECK(e.errors == "");
    CHECK(e.out == "{\"text\":\"}{\\\"[\\\\ ] c\"}\n");
    const auto broken = s.run("call", {"test.v1.Echo/Join", "-"}, R"({"text": "a"}{"text")");
    CHECK(broken.code == 1);
    CHECK(broken.errors.starts_with("INVALID_ARGUMENT: that JSON is no test.v1.EchoRequest: "));
  }

  TEST_CASE("a call that is over does not wait for more of stdin") {
    const stage s;
    test::program p{s.command("call", {"test.v1.Echo/Talk", "-", "--compact"})};
    p.say(R"({"text":"bye"})");
    const auto e = p.wait();
    CHECK(e.out == "{\"text\":\"bye\"}\n");
    CHECK(e.code == 0);
  }

  TEST_CASE("a request that is no message cancels a stream that has begun") {
    stage s;
    const auto e = s.run("call", {"test.v1.Echo/Join", R"({"text": "a"}{"texd": "b"}{"text": "c"})"});
    CHECK(e.code == 1);
    CHECK(e.out == "");
    CHECK(e.errors.starts_with("INVALID_ARGUMENT: that JSON is no test.v1.EchoRequest: texd: "));
    s.server.stop();
    s.echo.stop_and_wait(weft::stop_mode::abort);
    CHECK(s.echo.joined == 0);
  }

  TEST_CASE("TLS, a client's certificate and a token are given by flags") {
    const test::certificates files;
    weft::server_options options{.tls = files.mutual_server()};
    options.authenticate = weft::bearer_tokens({{"t0ken", "me"}});
    const stage s{true, options};
    const words tls{"--ca", files / "ca.pem", "--cert", files / "client.pem", "--key", files / "client.key"};
    auto all = tls;
    all.insert(all.end(), {"--metadata", "authorization: Bearer t0ken"});
    CHECK(s.run("list", all).out.find("test.v1.Echo\n") != std::string::npos);
    CHECK(s.run("list", tls).errors.starts_with("UNAUTHENTICATED"));
    CHECK(s.run("list", {"--metadata", "authorization: Bearer t0ken"}).errors.starts_with("UNAVAILABLE"));
    const auto misspelt = s.run("list", {"--ca", files / "no.pem"});
    CHECK(misspelt.code == 2);
    CHECK(misspelt.errors.find("tls: cannot read authorities '" + (files / "no.pem")) != std::string::npos);
  }

  TEST_CASE("without reflection the descriptors come from a file") {
    const stage s{false};
    const auto asked = s.run("list", {});
    CHECK(asked.code == 1);
    CHECK(asked.errors == "UNIMPLEMENTED: the server has no reflection: give its .proto files by --descriptors\n");
    const descriptor_file file{*test::v1::EchoRequest::descriptor()->file()};
    const auto flag = "--descriptors=" + file.name();
    CHECK(run({"list", flag}).out == "test.v1.Echo\n");
    CHECK(run({"list", flag, "test.v1.Echo"}).out.starts_with("test.v1.Echo/Say\n"));
    CHECK(run({"describe", "--descriptors", file.name(), "test.v1.FailRequest"}).out.find("int32 code = 1;") !=
          std::string::npos);
    CHECK(
        s.run("call", {flag, "test.v1.Echo/Say", R"({"text":"hi"})", "--compact"}).out.starts_with(R"({"text":"hi",)"));
    CHECK(s.run("call", {flag, "grpc.health.v1.Health2/Check"}).errors ==
          "NOT_FOUND: 'grpc.health.v1.Health2' is not known\n");
  }

  TEST_CASE("a command line that is wrong says why, with exit code 2") {
    check_usage(run({"lisd", "127.0.0.1:1"}), "there is no 'lisd'");
    check_usage(run({"list"}), "the ADDRESS is missing");
    check_usage(run({"describe", "127.0.0.1:1"}), "the SYMBOL is missing");
    check_usage(run({"call", "127.0.0.1:1"}), "the SERVICE/METHOD is missing");
    check_usage(run({"call", "127.0.0.1:1", "a.B/C", "{}", "{}"}), "'{}' is too much");
    check_usage(run({"list", "127.0.0.1:1", "--compact"}), "list has no --compact");
    check_usage(run({"call", "127.0.0.1:1", "a.B/C", "--timeout"}), "--timeout needs a value");
    check_usage(run({"call", "127.0.0.1:1", "a.B/C", "--compact=yes"}), "--compact takes no value");
    check_usage(run({"call", "127.0.0.1:1", "a.B/C", "--timeout", "5"}),
                "--timeout takes 250ms, 5s, 2m or never, not '5'");
    check_usage(run({"call", "127.0.0.1:1", "a.B/C", "--metadata", "nothing"}),
                "--metadata takes KEY:VALUE, not 'nothing'");
    check_usage(run({"call", "127.0.0.1:1", "a.B/C", "@/nowhere"}), "cannot read '/nowhere'");
    check_usage(run({"list", "127.0.0.1"}), "peer '127.0.0.1': that is no address: \"host:port\", or \"unix:path\"");
    check_usage(run({"list", "127.0.0.1:70000"}),
                "peer '127.0.0.1:70000': that is no address: \"host:port\", or \"unix:path\"");
    check_usage(run({"list", "192.0.2.1:80"}),
                "peer '192.0.2.1:80': plain text is for loopback and Unix sockets only: use TLS, or allow it");
    check_usage(run({"list", "--descriptors", "/nowhere"}), "cannot read '/nowhere'");
    check_usage(run({"list", "--descriptors", "/proc/self/exe"}), "'/proc/self/exe' is no file of descriptors");
  }

  TEST_CASE("every verb has help") {
    for (const words& w : {words{}, words{"--help"}, words{"help"}, words{"list", "--help"}, words{"describe", "-h"},
                           words{"call", "--help"}}) {
      const auto e = run(w);
      CHECK(e.code == 0);
      CHECK(e.errors == "");
      CHECK(e.out.starts_with("weft"));
      const auto verb = w.empty() || w[0] == "--help" || w[0] == "help" ? "call" : w[0];
      CHECK(e.out.find("weft " + verb + " ") != std::string::npos);
    }
  }
}
