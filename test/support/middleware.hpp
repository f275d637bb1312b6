#pragma once
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/middleware.hpp>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/sleep.hpp>

#include "test/v1/echo.weft.hpp"

// Middleware of either side that tests stand around calls, and what it saw.
namespace test::around {

// What layers of middleware saw, in order. Of the polling worker; looked at after the stop, or by `visit`.
struct journal {
  std::vector<std::string> lines;
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
  weft::status outcome;
};

template <class Call>
weft::task<weft::status> noted(Call& call, weft::rest_of_call next, journal* j, const char* name) {
  j->lines.push_back(std::string{name} + " before " + call.method());
  auto s = co_await next();
  j->lines.push_back(std::string{name} + " after " + std::string{weft::to_string(s.code())});
  co_return s;
}

// Counts itself in and out, however it ends.
struct counted {
  explicit counted(journal* j) : to{j} { ++to->begun; }
  ~counted() { ++to->ended; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  journal* to;
};

template <class Call>
weft::task<weft::status> watched(Call&, weft::rest_of_call next, journal* j) {
  const counted here{j};
  auto s = co_await next();
  j->outcome = s;
  co_return s;
}

// Waits before the call for as long as it may.
template <class Call>
weft::task<weft::status> waiting(Call&, weft::rest_of_call next, journal* j) {
  const counted here{j};
  j->outcome = co_await weft::sleep_for(std::chrono::hours{1});
  co_return co_await next();
}

// As a middleware of either side.
template <class F, class... Args>
auto with(F f, Args... args) {
  return [f, args...](auto& call, weft::rest_of_call next) { return f(call, next, args...); };
}
inline weft::server_options serving(std::vector<weft::server_middleware> m) {
  weft::server_options o;
  o.middleware = std::move(m);
  return o;
}
inline weft::peer_options calling(std::vector<weft::client_middleware> m) {
  weft::peer_options o;
  o.middleware = std::move(m);
  return o;
}

inline weft::server_middleware note_incoming(journal* j, const char* name) {
  return with(&noted<weft::incoming>, j, name);
}
inline weft::client_middleware note_outgoing(journal* j, const char* name) {
  return with(&noted<weft::outgoing>, j, name);
}

template <class Call>
weft::task<weft::status> refuse(Call&, weft::rest_of_call) {
  co_return weft::permission_denied("not today");
}
template <class Call>
weft::task<weft::status> fail(Call&, weft::rest_of_call) {
  throw std::runtime_error{"as the test asked"};
  co_return weft::status{};
}
template <class Call>
weft::task<weft::status> forget(Call&, weft::rest_of_call) {
  co_return weft::status{};
}
template <class Call>
weft::task<weft::status> repeat(Call&, weft::rest_of_call next) {
  std::ignore = co_await next();
  std::ignore = co_await next();
  co_return weft::status{};
}
template <class Call>
weft::task<weft::status> hush(Call&, weft::rest_of_call next) {
  std::ignore = co_await next();
  co_return weft::status{};
}
template <class Call>
weft::task<weft::status> change_code(Call&, weft::rest_of_call next) {
  auto s = co_await next();
  if (s.ok()) co_return s;
  co_return weft::not_found("hidden: " + s.message());
}

inline weft::reply<v1::EchoReply> say_within(v1::Echo::client echo, v1::EchoRequest request, weft::duration limit) {
  co_return co_await echo.Say(std::move(request), weft::within{limit});
}

inline v1::EchoRequest saying(std::string text, weft::duration delay = {}) {
  v1::EchoRequest r;
  r.set_text(std::move(text));
  r.set_delay_us(std::chrono::duration_cast<std::chrono::microseconds>(delay).count());
  return r;
}

// Talk: a stream that says these, and reads the answers until it ends.
inline weft::task<weft::status> talk(v1::Echo::client echo, std::vector<std::string> texts,
                                     std::vector<std::string>* answers = nullptr,
                                     weft::duration limit = std::chrono::seconds{5}) {
  auto talk = echo.Talk(weft::within{limit});
  for (auto& text : texts) {
    const auto written = co_await talk.write(saying(std::move(text)));
    if (!written.ok()) break;
  }
  talk.writes_done();
  while (auto reply = co_await talk.read()) {
    if (answers != nullptr) answers->push_back(reply->text());
  }
  auto s = co_await talk.finish();
  co_return s;
}

inline void until(const std::atomic<int>& n, int wanted) {
  while (n.load() < wanted) std::this_thread::yield();
}

}  // namespace test::around
