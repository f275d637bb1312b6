// Who calls, and what travels beside the messages: tokens and a policy, TLS, metadata, details of an error, calls that are made
// again. `callers FOLDER` does it over TLS, with ca.pem, server.pem and server.key from there.
#include <google/protobuf/wrappers.pb.h>

#include <iostream>
#include <optional>
#include <string>
#include <weft/rpc/directory.hpp>
#include <weft/rpc/health.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/status_details.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/this_call.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "table.weft.hpp"

namespace {

using namespace std::chrono_literals;
using namespace cookbook::v1;

// [handler]
struct wallet : Wallet::service {
  using service::service;
  weft::reply<ReserveReply> Reserve(ReserveRequest& request) override {
    const auto call = co_await weft::this_call();
    if (const auto* trace = call.metadata().find("x-trace")) call.trailers().add("x-trace", *trace);
    call.headers().add("x-served-for", call.identity());
    if (request.coins() > left) {
      google::protobuf::Int32Value remaining;  // for the program, beside the text for people
      remaining.set_value(left);
      co_return weft::add_detail(weft::failed_precondition("too few coins are left"), remaining);
    }
    left -= request.coins();
    co_return ReserveReply{};
  }
  int left = 100;
};
// [handler]

weft::server_options doorkeeper(const std::string& folder) {
  // [server]
  weft::server_options options;
  options.authenticate = weft::bearer_tokens({{"t0ken-of-the-table", "table"}, {"t0ken-of-chess", "chess"}});
  options.policy.allow("/cookbook.v1.Wallet/*", {"table"});  // whatever is not allowed is refused
  // [server]
  // [health]
  options.authenticate = [known = options.authenticate](const weft::caller& c) -> weft::result<std::string> {
    if (c.metadata.find("authorization") == nullptr)
      return std::string{};  // nobody: the policy has to say what it may call
    return known(c);
  };
  options.policy.allow_all("/grpc.health.v1.Health/*");
  // [health]
  if (!folder.empty()) {
    // [tls]
    options.tls = weft::server_tls{.certificate = folder + "/server.pem", .key = folder + "/server.key"};
    // [tls]
  }
  return options;
}

weft::peer_options with_token(const std::string& token, const std::string& folder) {
  // [peer]
  weft::peer_options options;
  options.metadata.add("authorization", "Bearer " + token);
  options.retries = {{.methods = "/cookbook.v1.Wallet/*", .attempts = 4, .first_backoff = 50ms}};
  if (!folder.empty()) options.tls = weft::client_tls{.authorities = folder + "/ca.pem"};
  // [peer]
  return options;
}

// [call]
weft::task<weft::result<int>> coins_left(Wallet::client wallet, int wanted) {
  ReserveRequest request;
  request.set_coins(wanted);
  weft::metadata headers, trailers;
  auto options = weft::call_options{weft::within{2s}}.with("x-trace", "7f3a").wait_for_ready();
  auto reply = co_await wallet.Reserve(request, std::move(options).headers_into(headers).trailers_into(trailers));
  for (const auto& [key, value] : headers) std::cout << "  " << key << ": " << value << "\n";
  if (const auto remaining = weft::find_detail<google::protobuf::Int32Value>(reply.status()))
    co_return remaining->value();
  co_await weft::ok(std::move(reply));
  co_return -1;
}
// [call]

bool expect(const char* what, const weft::result<int>& outcome, const weft::result<int>& expected) {
  const auto text = outcome.ok() ? std::to_string(*outcome) : outcome.status().to_string();
  std::cout << what << ": " << text << "\n";
  return outcome.ok() == expected.ok() &&
         (outcome.ok() ? *outcome == *expected : outcome.status() == expected.status());
}

// Who has no token may ask how the server is, and nothing else.
bool serves_nobody(weft::rpc_runtime& rt, const std::string& address, const std::string& folder) {
  auto options = with_token("", folder);
  options.metadata = {};
  weft::peer nobody{rt, address, options};
  weft::directory by_name;
  by_name.add("grpc.health.v1.Health", nobody);
  const auto health = weft::sync_wait(rt, weft::as_task(by_name.call_json("grpc.health.v1.Health/Check", "{}")));
  std::cout << "a load balancer: " << (health.ok() ? *health : health.status().to_string()) << "\n";
  return health.ok() &&
         expect("it takes a coin", weft::sync_wait(rt, coins_left(nobody, 1)),
                weft::status{weft::code::unauthenticated, "/cookbook.v1.Wallet/Reserve is for known callers only"});
}

bool calls(weft::rpc_runtime& rt, const std::string& address, const std::string& folder) {
  weft::peer table{rt, address, with_token("t0ken-of-the-table", folder)};
  weft::peer chess{rt, address, with_token("t0ken-of-chess", folder)};
  weft::peer thief{rt, address, with_token("guess", folder)};
  // [connect]
  const auto connected = weft::sync_wait(rt, weft::with_timeout(5s, table.connect()));
  // [connect]
  std::cout << "connected: " << connected << ", " << weft::to_string(table.connectivity()) << "\n";
  if (!connected.ok()) return false;
  const weft::status unknown{weft::code::unauthenticated, "the token is not known"};
  bool right = expect("table takes 70 coins", weft::sync_wait(rt, coins_left(table, 70)), -1);
  right &= expect("table takes 70 more", weft::sync_wait(rt, coins_left(table, 70)), 30);
  right &= expect("chess", weft::sync_wait(rt, coins_left(chess, 1)),
                  weft::permission_denied("'chess' may not call /cookbook.v1.Wallet/Reserve"));
  right &= expect("a thief", weft::sync_wait(rt, coins_left(thief, 1)), unknown);
  right &= serves_nobody(rt, address, folder);
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "";
  if (argc > 2 || folder.starts_with("-")) {
    (folder == "--help" ? std::cout : std::cerr) << "usage: callers [FOLDER with ca.pem, server.pem, server.key]\n";
    return folder == "--help" ? 0 : 2;
  }
  weft::rpc_runtime rt;
  wallet coins{rt};
  weft::server server{rt, doorkeeper(folder)};
  server.add(coins);
  weft::health health{rt};
  server.add(health);
  const auto started = server.start();
  if (!started.ok()) {
    std::cerr << "callers: " << started << "\n";
    return 1;
  }
  const bool right = calls(rt, server.address(), folder);
  server.stop(1s);
  coins.stop_and_wait();
  health.stop_and_wait();
  if (!right) std::cerr << "callers: not what should have happened\n";
  return right ? 0 : 1;
}
