// Cases of sessions against a server of desk.proto in another language, for sessions.sh.
#include <array>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "desk.hpp"
#include "flags.hpp"

namespace {

using namespace desk::v1;
using namespace std::chrono_literals;
using weft::ok;
using weft::status;
using weft::task;

constexpr auto limit = 20s;

// What a case has: a session with the server, on which `mine` is offered.
struct table {
  weft::session& session;
  int window;
  int window_bytes;

  Desk::client at(std::uint64_t key = 0) const {
    return Desk::client{key == 0 ? session.unordered() : session.ordered(key)};
  }
};

status expect(bool holds, const std::string& what) { return holds ? status{} : weft::aborted(what); }
status expect_code(const status& s, weft::code wanted) {
  return expect(s.code() == wanted, "expected " + std::string{to_string(wanted)} + ", got " + s.to_string());
}

TakeRequest numbered(std::uint64_t key, std::uint64_t number) {
  TakeRequest request;
  request.set_key(key);
  request.set_number(number);
  return request;
}
HoldRequest holding(std::uint32_t milliseconds) {
  HoldRequest request;
  request.set_milliseconds(milliseconds);
  return request;
}

task<status> take_one(table at, std::uint64_t key) {
  co_await ok(at.at(key).Take(numbered(key, 1), weft::within{limit}));
  co_return status{};
}

task<status> order(table at, weft::scope& scope) {
  constexpr std::uint64_t keys = 16, numbers = 250, first_key = 1'000;
  std::vector<weft::started<weft::result<TakeReply>>> out;
  for (std::uint64_t number = 1; number <= numbers; ++number) {
    for (auto key = first_key; key < first_key + keys; ++key) {
      out.push_back(scope.start(at.at(key).Take(numbered(key, number), weft::within{limit})));
    }
  }
  std::uint64_t inversions = 0;
  for (auto& one : out) inversions = (co_await ok(co_await std::move(one))).inversions();
  co_return expect(inversions == 0, std::to_string(inversions) + " inversions");
}

task<status> errors(table at, weft::scope&) {
  RefuseRequest request;
  request.set_code(9);
  request.set_message("näh");
  request.set_details("\x08\x09");
  weft::metadata trailers;
  bool may_have_run = false;
  auto options = weft::call_options{weft::within{limit}}.trailers_into(trailers).may_have_run_into(may_have_run);
  const auto reply = co_await at.at().Refuse(request, std::move(options));
  const status expected{weft::code::failed_precondition, request.message(), request.details()};
  co_await ok(
      expect(reply.status() == expected && reply.status().details() == expected.details(), reply.status().to_string()));
  co_await ok(expect(may_have_run, "it ran, and that is not said"));
  const auto* why = trailers.find("x-why");
  co_return expect(why != nullptr && *why == "because", "the trailer did not come");
}

task<status> metadata(table at, weft::scope&) {
  NoteRequest request;
  request.set_text("hi");
  weft::metadata headers, trailers;
  auto options =
      weft::call_options{weft::within{limit}}.with("x-note", "loud").headers_into(headers).trailers_into(trailers);
  const auto reply = co_await ok(at.at().Note(request, std::move(options)));
  const auto* heard = headers.find("x-heard");
  const auto* noted = trailers.find("x-noted-bin");
  co_return expect(reply.text() == "hi" && heard != nullptr && *heard == "loud" && noted != nullptr && *noted == "loud",
                   "the metadata did not come back");
}

task<status> deadline(table at, weft::scope&) {
  const auto reply = co_await at.at().Hold(holding(0), weft::within{50ms});
  co_await ok(expect_code(reply.status(), weft::code::deadline_exceeded));
  co_return co_await take_one(at, 1);
}

// Leaves Holds that have been begun, all but one that the window takes, to the end of the scope, which stops them.
task<status> hold_for_a_while(table at, weft::scope& scope) {
  const auto before = co_await ok(at.at().Held(Nothing{}, weft::within{limit}));
  const auto holds = static_cast<std::uint64_t>(at.window) - 1;
  for (std::uint64_t i = 0; i < holds; ++i) std::ignore = scope.start(at.at().Hold(holding(0), weft::within{limit}));
  auto now = before;
  while (now.begun() < before.begun() + holds) {
    now = co_await ok(at.at().Held(Nothing{}, weft::within{limit}));
  }
  scope.stop();
  co_return status{};
}

task<status> all_stopped(table at, std::uint64_t wanted) {
  for (auto until = std::chrono::steady_clock::now() + limit; std::chrono::steady_clock::now() < until;) {
    const auto now = co_await ok(at.at().Held(Nothing{}, weft::within{limit}));
    if (now.stopped() == wanted) co_return status{};
  }
  co_return weft::aborted("the handlers were not stopped");
}

// Three times as many as the window takes: what was given up gives its room back.
task<status> cancel(table at, weft::scope&) {
  std::uint64_t stopped = 0;
  for (int times = 0; times < 3; ++times) {
    co_await ok(weft::with_scope(&hold_for_a_while, at));
    stopped += static_cast<std::uint64_t>(at.window) - 1;
    co_await ok(all_stopped(at, stopped));
  }
  co_return status{};
}

task<status> window(table at, weft::scope& scope) {
  std::vector<weft::started<weft::result<Nothing>>> out;
  for (int i = 0; i < 5 * at.window; ++i) out.push_back(scope.start(at.at().Hold(holding(10), weft::within{limit})));
  for (auto& one : out) co_await ok(co_await std::move(one));
  const auto held = co_await ok(at.at().Held(Nothing{}, weft::within{limit}));
  co_return expect(held.most() == static_cast<std::uint64_t>(at.window), std::to_string(held.most()) + " at once");
}

task<status> window_bytes(table at, weft::scope& scope) {
  const auto all = static_cast<std::size_t>(at.window_bytes);
  auto request = holding(10);
  request.set_filler(std::string(all * 3 / 10, 'x'));
  std::vector<weft::started<weft::result<Nothing>>> out;
  for (int i = 0; i < 20; ++i) out.push_back(scope.start(at.at().Hold(request, weft::within{limit})));
  for (auto& one : out) co_await ok(co_await std::move(one));
  const auto held = co_await ok(at.at().Held(Nothing{}, weft::within{limit}));
  co_await ok(expect(held.most_bytes() > 2 * request.filler().size() && held.most_bytes() <= all,
                     std::to_string(held.most_bytes()) + " bytes at once"));
  request.set_filler(std::string(2 * all, 'x'));
  co_await ok(at.at().Hold(request, weft::within{limit}));
  co_return status{};
}

task<status> gapless(table at, weft::scope& scope) {
  constexpr std::uint64_t key = 77;
  const auto lane = at.session.gapless(key);
  const Desk::client desk{lane};
  bool may_have_run = true;
  auto missing = scope.start(Nobody::client{lane}.Home(Nothing{}, weft::within{limit}));
  std::vector<weft::started<weft::result<TakeReply>>> behind;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    auto options = weft::call_options{weft::within{limit}}.may_have_run_into(may_have_run);
    behind.push_back(scope.start(desk.Take(numbered(key, i), std::move(options))));
  }
  const auto none = co_await std::move(missing);
  co_await ok(expect_code(none.status(), weft::code::unimplemented));
  for (auto& one : behind) {
    const auto reply = co_await std::move(one);
    co_await ok(expect_code(reply.status(), weft::code::aborted));
  }
  co_await ok(expect(!may_have_run, "it did not run, and that is not said"));
  lane.resume();
  co_await ok(desk.Take(numbered(key, 4), weft::within{limit}));
  co_return status{};
}

task<status> call_back(table at, weft::scope&) {
  CallBackRequest request;
  request.set_times(200);
  const auto reply = co_await ok(at.at().CallBack(request, weft::within{limit}));
  co_return expect(reply.answered() == request.times(), std::to_string(reply.answered()) + " answered");
}

task<status> unknown_method(table at, weft::scope&) {
  bool may_have_run = true;
  auto options = weft::call_options{weft::within{limit}}.may_have_run_into(may_have_run);
  const auto reply = co_await Nobody::client{at.session.unordered()}.Home(Nothing{}, std::move(options));
  co_await ok(expect_code(reply.status(), weft::code::unimplemented));
  co_return expect(!may_have_run, "it did not run, and that is not said");
}

task<status> go_away(table at, weft::scope& scope) {
  auto held = scope.start(at.at().Hold(holding(200), weft::within{limit}));
  auto leave = scope.start(at.at().Leave(Nothing{}, weft::within{limit}));
  std::vector<weft::started<weft::result<TakeReply>>> out;  // beyond what is answered: repeated on a new session
  for (std::uint64_t i = 1; i <= 50; ++i)
    out.push_back(scope.start(at.at(5).Take(numbered(5, i), weft::within{limit})));
  co_await ok(co_await std::move(leave));
  for (auto& one : out) co_await ok(co_await std::move(one));
  co_await ok(co_await std::move(held));
  co_return co_await take_one(at, 6);
}

task<status> ping(table at, weft::scope&) {
  co_await ok(at.at().Ping(Nothing{}, weft::within{limit}));
  co_return status{};
}

// A call that is out before them and ends behind them shows that the session did not end.
task<status> unknown_fields(table at, weft::scope& scope) {
  auto held = scope.start(at.at().Hold(holding(100), weft::within{limit}));
  BreakRequest request;
  request.set_how("nothing");
  co_await ok(at.at().Break(request, weft::within{limit}));
  co_await ok(take_one(at, 3));
  co_await ok(co_await std::move(held));
  co_return status{};
}

// The next session begins without attach: its calls end, and the one after it serves.
task<status> no_attach(table at, weft::scope&) {
  BreakRequest request;
  request.set_how("no_attach");
  const auto told = co_await at.at().Break(request, weft::within{limit});
  co_await ok(expect(told.ok() || told.code() == weft::code::unavailable, told.status().to_string()));
  status end;
  for (auto until = std::chrono::steady_clock::now() + limit; std::chrono::steady_clock::now() < until;) {
    const auto reply = co_await at.at(9).Take(numbered(9, 1), weft::within{limit});
    end = reply.status();
    if (!end.ok()) break;
  }
  co_await ok(expect_code(end, weft::code::unavailable));
  auto patient = weft::call_options{weft::within{limit}}.wait_for_ready();
  co_await ok(at.at(9).Take(numbered(9, 2), std::move(patient)));
  co_return status{};
}

// The server breaks a rule while calls are out: each of them ends once, and the next connection serves as before.
task<status> rules(table at, weft::scope& scope) {
  for (const char* how : {"answer", "attach", "method", "ids", "window", "garbage"}) {
    std::vector<weft::started<weft::result<Nothing>>> out;
    for (int i = 0; i < 8; ++i) out.push_back(scope.start(at.at().Hold(holding(0), weft::within{limit})));
    BreakRequest request;
    request.set_how(how);
    const auto told = co_await at.at().Break(request, weft::within{limit});
    co_await ok(expect(told.ok() || told.code() == weft::code::unavailable, told.status().to_string()));
    for (auto& one : out) {
      const auto end = co_await std::move(one);
      const auto as_expected = expect_code(end.status(), weft::code::unavailable);
      co_await ok(expect(as_expected.ok(), how + (": " + as_expected.to_string())));
    }
    co_await ok(take_one(at, 9));
  }
  co_return status{};
}

struct named_case {
  std::string_view name;
  std::string_view shows;
  task<status> (*run)(table, weft::scope&);
};
constexpr std::array cases{
    named_case{"order", "calls of 16 keys, pipelined, are taken in order", order},
    named_case{"errors", "code, message, details and trailers arrive", errors},
    named_case{"metadata", "metadata go there and come back", metadata},
    named_case{"deadline", "a call ends at its limit, the session goes on", deadline},
    named_case{"cancel", "a call that is given up is stopped", cancel},
    named_case{"window", "never are more calls in progress than the server takes (--window)", window},
    named_case{"window_bytes", "nor more bytes of requests (--window_bytes), but for a single call", window_bytes},
    named_case{"gapless", "a key without gaps stops behind a call that did not run, until it is resumed", gapless},
    named_case{"call_back", "the server calls a service of the client on the same session", call_back},
    named_case{"unknown_method", "a method that is not there is UNIMPLEMENTED, and did not run", unknown_method},
    named_case{"ping", "a ping of the server is answered with its number", ping},
    named_case{"unknown_fields", "fields that nobody knows are skipped", unknown_fields},
    named_case{"no_attach", "a session whose first batch has no attach ends, and the next one works", no_attach},
    named_case{"go_away", "what a server that leaves has not begun is repeated on a new session", go_away},
    named_case{"rules", "a server that breaks a rule ends the session: each call ends once, the next session works",
               rules},
};

std::string usage() {
  std::string text{"usage: session_client --server_port=P --test_case=NAME [flag...]\n"
                   "Runs a case against a server of desk.v1.Desk; ends with 0 if it passed.\n"
                   "  --server_host=H  127.0.0.1\n"
                   "  --window=N       calls that the server takes at once (64)\n"
                   "  --window_bytes=N  and the bytes of their requests (1048576)\n"
                   "cases:\n"};
  for (const auto& c : cases) text.append("  ").append(c.name).append(": ").append(c.shows).append("\n");
  return text;
}

task<status> run(const named_case* one, table at) { co_return co_await weft::with_scope(one->run, at); }

}  // namespace

int main(int argc, char** argv) {
  constexpr int highest_port = 65'535, widest_window = 100'000, widest_window_bytes = 1 << 30;
  const auto help = usage();
  const interop::flags flags{argc,
                             argv,
                             help,
                             {{"server_host", "127.0.0.1"},
                              {"server_port", ""},
                              {"test_case", ""},
                              {"window", "64"},
                              {"window_bytes", "1048576"}}};
  const named_case* wanted = nullptr;
  for (const auto& c : cases) {
    if (c.name == flags["test_case"]) wanted = &c;
  }
  if (wanted == nullptr) flags.wrong("test_case", "one of the cases");
  const auto address = flags["server_host"] + ":" + std::to_string(flags.number("server_port", 1, highest_port));
  weft::rpc_runtime rt;
  interop::desk mine{rt};
  status outcome;
  {
    weft::peer peer{rt, address};
    auto session = peer.session({.offers = {&mine}});
    outcome = weft::sync_wait(rt, run(wanted, {session, flags.number("window", 1, widest_window),
                                               flags.number("window_bytes", 1, widest_window_bytes)}));
  }
  mine.stop_and_wait(weft::stop_mode::abort);
  if (outcome.ok()) return 0;
  std::cerr << "session_client: " << wanted->name << ": " << outcome << "\n";
  return 1;
}
