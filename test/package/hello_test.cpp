#include <chrono>
#include <hello.weft.fake.hpp>
#include <iostream>
#include <string>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/service.hpp>
#include <weft/test/peek.hpp>
#include <weft/test/seeds.hpp>

using namespace std::chrono_literals;

namespace {

weft::reply<std::string> greet(hello::v1::Greeter::client greeter) {
  hello::v1::HelloRequest request;
  request.set_name("weft");
  auto reply = co_await weft::ok(greeter.Hello(request, weft::within{1s}));
  co_return reply.text();
}

}  // namespace

// No test framework: what fails ends the program.
int main() {
  weft::test::for_seeds(10, [](weft::test::world& w) {
    hello::v1::Greeter::fake greeter{w};
    greeter.Hello.once().hangs();
    greeter.Hello.answers([](const hello::v1::HelloRequest& request) -> weft::result<hello::v1::HelloReply> {
      hello::v1::HelloReply reply;
      reply.set_text("hello " + request.name());
      return reply;
    });
    if (w.run(greet(greeter)).code() != weft::code::deadline_exceeded) throw "it had to hang";
    if (*w.run(greet(greeter)) != "hello weft") throw "it had to answer";
    if (weft::test::peek(greeter, [&] { return greeter.Hello.calls().size(); }) != 2) throw "it had to be asked twice";
  });
  std::cout << "hello_test: passed\n";
}
