// What every call has in common: who calls, a line in the log, the trace it is part of; around all calls of a server and of a
// peer, written once.
#include <weft/rpc/middleware.hpp>
#include <chrono>
#include <iostream>
#include <string>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/rpc/trace.hpp>
#include <weft/runtime/log.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/this_call.hpp>

#include "table.weft.hpp"

namespace {

using namespace std::chrono_literals;
using namespace cookbook::v1;

/// Who may play: in earnest it would ask another server.
class accounts : public weft::service {
 public:
  explicit accounts(weft::runtime& rt) : service{rt, {.name = "accounts"}} {}
  weft::reply<std::string> owner_of(std::string token) {
    auto owner = co_await call([&token] { return find(token); });
    co_return owner;
  }

 private:
  static weft::result<std::string> find(const std::string& token) {
    if (token == "t0ken-of-ann") return std::string{"ann"};
    return weft::status{weft::code::unauthenticated, "the token is not known"};
  }
};

// [log]
weft::task<weft::status> log_calls(weft::incoming& call, weft::rest_of_call next) {
  const auto began = std::chrono::steady_clock::now();
  auto outcome = co_await next();
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
  const auto text = call.method() + (" for '" + call.identity()) + "': " + outcome.to_string() + ", " +
                    std::to_string(took.count()) + " us";
  weft::log(co_await weft::current(), weft::severity::info, text);
  co_return outcome;
}
// [log]

// [identify]
weft::task<weft::status> know_caller(weft::incoming& call, weft::rest_of_call next, accounts* book) {
  const auto* token = call.metadata().find("x-token");
  if (token == nullptr) co_return weft::status{weft::code::unauthenticated, "who calls?"};  // nothing was decoded
  call.identify(co_await weft::ok(book->owner_of(*token)));
  co_return co_await next();
}
// [identify]

// [peer]
weft::task<weft::status> show_token(weft::outgoing& call, weft::rest_of_call next) {
  call.metadata().add("x-token", "t0ken-of-ann");  // in earnest one that is fetched again when it grows old
  co_return co_await next();
}
// [peer]

struct wallet : Wallet::service {
  using service::service;
  weft::reply<ReserveReply> Reserve(ReserveRequest& request) override {
    const auto call = co_await weft::this_call();
    weft::log(co_await weft::current(), weft::severity::info,
              call.identity() + " puts " + std::to_string(request.coins()) + " coins aside");
    co_return ReserveReply{};
  }
};

weft::task<weft::status> reserve(Wallet::client coins) {
  ReserveRequest request;
  request.set_coins(70);
  auto reply = co_await coins.Reserve(request, weft::within{2s});
  co_return reply.status();
}

}  // namespace

int main() {
  weft::rpc_runtime rt;
  accounts book{rt};
  wallet coins{rt};
  // [server]
  weft::server_options options;
  options.middleware = {
      weft::trace_incoming(),  // the outermost: what is logged within carries the trace
      &log_calls,
      [b = &book](weft::incoming& call, weft::rest_of_call next) { return know_caller(call, next, b); },
  };
  // [server]
  weft::server server{rt, std::move(options)};
  server.add(coins);
  if (auto s = server.start(); !s.ok()) {
    std::cerr << "middleware: " << s << "\n";
    return 1;
  }
  weft::peer_options known;
  known.middleware = {weft::trace_outgoing(), &show_token};
  weft::peer ann{rt, server.address(), known};
  weft::peer stranger{rt, server.address()};

  const auto let_in = weft::sync_wait(rt, reserve(ann));
  const auto refused = weft::sync_wait(rt, reserve(stranger));
  server.stop(1s);
  coins.stop_and_wait();
  book.stop_and_wait();
  std::cout << "ann: " << let_in << "\na stranger: " << refused << "\n";
  return let_in.ok() && refused == weft::status{weft::code::unauthenticated, "who calls?"} ? 0 : 1;
}
