// weft: a console for gRPC servers. `weft --help`.
#include <google/protobuf/descriptor.h>

#include <iostream>
#include <optional>
#include <utility>
#include <weft/rpc/method_name.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "arguments.hpp"
#include "conversation.hpp"
#include "describe.hpp"
#include "schema.hpp"

namespace weft::tool {
namespace {

constexpr int call_failed = 1;
constexpr int wrong_usage = 2;

task<status> run_list(const arguments* said, schema* known) {
  if (said->name.empty()) {
    const auto names = co_await known->services();
    if (!names.ok()) co_return names.status();
    for (const auto& name : *names) std::cout << name << "\n";
    co_return status{};
  }
  if (auto s = co_await known->find(said->name); !s.ok()) co_return s;
  const auto* service = known->pool().FindServiceByName(said->name);
  if (service == nullptr) co_return not_found("'" + said->name + "' is no service");
  for (int i = 0; i < service->method_count(); ++i) {
    std::cout << service->full_name() << "/" << service->method(i)->name() << "\n";
  }
  co_return status{};
}

task<status> run_describe(const arguments* said, schema* known) {
  auto symbol = said->name;
  if (symbol.find('/') != std::string::npos) {
    const auto method = parse_method_name(said->name);
    if (!method.ok()) co_return method.status();
    symbol = std::string{method->service} + "." + std::string{method->method};
  }
  if (auto s = co_await known->find(symbol); !s.ok()) co_return s;
  const auto text = describe(known->pool(), symbol);
  if (text.ok()) std::cout << *text;
  co_return text.status();
}

task<status> run_call(const arguments* said, schema* known, directory* rpc, peer* server, input* in) {
  const auto name = parse_method_name(said->name);
  if (!name.ok()) co_return name.status();
  const std::string service{name->service};
  if (auto s = co_await known->find(service); !s.ok()) co_return s;
  const auto* described = known->pool().FindServiceByName(service);
  if (described == nullptr) co_return not_found("'" + service + "' is no service");
  const auto* method = described->FindMethodByName(std::string{name->method});
  if (method == nullptr) {
    co_return unimplemented(service + " has no method '" + std::string{name->method} + "': see weft list");
  }
  rpc->add(service, *server);
  conversation talk{*said, *rpc, *method, said->name, *in};
  co_return co_await talk.run();
}

int misunderstood(const status& why) {
  std::cerr << "weft: " << why.message() << "\nweft --help lists what it does\n";
  return wrong_usage;
}

int run(std::span<char* const> words) {
  const auto parsed = parse_arguments(words);
  if (!parsed.ok()) return misunderstood(parsed.status());
  const auto& said = *parsed;
  if (!said.help.empty()) {
    std::cout << said.help;
    return 0;
  }
  auto in = input::open(said.input);
  if (!in.ok()) return misunderstood(in.status());

  schema known;
  directory rpc{known.pool()};
  rpc_runtime rt;
  std::optional<peer> server;
  if (!said.address.empty()) {
    server.emplace(rt, said.address, said.peer);
    if (auto s = server->problem(); !s.ok()) return misunderstood(s);
  }
  if (said.descriptors.empty()) {
    known.ask(*server, said.timeout == duration::zero() ? call_options::default_limit : said.timeout);
  } else if (auto s = known.load(said.descriptors); !s.ok()) {
    return misunderstood(s);
  }
  auto work = said.verb == verb::list       ? run_list(&said, &known)
              : said.verb == verb::describe ? run_describe(&said, &known)
                                            : run_call(&said, &known, &rpc, &*server, in->get());
  const auto end = sync_wait(rt, std::move(work));
  if (end.ok()) return 0;
  std::cerr << end << "\n";
  return call_failed;
}

}  // namespace
}  // namespace weft::tool

int main(int argc, char** argv) { return weft::tool::run({argv + 1, static_cast<std::size_t>(argc - 1)}); }
