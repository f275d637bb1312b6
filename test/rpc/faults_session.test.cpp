// Sessions over a network that resets connections, with callers that go and deadlines that pass (R10).
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>
#include <weft/rpc/session.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/when_all.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "../support/bad_network.hpp"
#include "../support/dice.hpp"
#include "../support/faults.hpp"

using namespace std::chrono_literals;
using test::bad_network;
using test::dice;
using test::v1::Echo;
using test::v1::EchoReply;
using test::v1::EchoRequest;
using weft::code;

namespace {

constexpr int all_calls = 100'000;
constexpr int keys = 64;

// Sees in which order the calls of each key begin: the number of a call is what it carries.
class order_keeper final : public Echo::service {
 public:
  using service::service;

  weft::reply<EchoReply> Say(EchoRequest& request) override { return heard(request); }
  weft::reply<EchoReply> Missing(EchoRequest& request) override { return heard(request); }

  weft::reply<EchoReply> heard(EchoRequest& request) {
    const auto number = static_cast<std::uint64_t>(request.delay_us());
    auto& last = last_of[request.text()];
    if (number <= last) ++inversions;
    last = std::max(last, number);
    ++runs;
    if (draw.one_in(4)) std::ignore = co_await weft::sleep_for(std::chrono::milliseconds{1} * draw.below(3));
    EchoReply reply;
    reply.set_left_us(request.delay_us());
    co_return reply;
  }

  // On the strand.
  std::map<std::string, std::uint64_t> last_of;
  std::uint64_t inversions = 0;
  std::uint64_t runs = 0;
  dice draw{7};
};

struct tally {
  std::uint64_t begun = 0;
  std::uint64_t completed = 0;
  std::map<code, std::uint64_t> by_code;
};

EchoRequest numbered(int key, std::int64_t number) {
  EchoRequest request;
  request.set_text(std::to_string(key));
  request.set_delay_us(number);
  return request;
}

// Numbers the call when it begins.
weft::task<weft::result<EchoReply>> numbered_call(Echo::client to, int key, std::int64_t* last, weft::duration limit) {
  const auto number = ++*last;
  auto reply = co_await to.Say(numbered(key, number), weft::within{limit});
  if (reply.ok() && reply->left_us() != number) co_return weft::status{code::data_loss, "the reply of another call"};
  co_return reply;
}

weft::task<> one_call(Echo::client to, int key, std::int64_t* last, weft::duration limit, weft::duration patience,
                      tally* t) {
  ++t->begun;
  std::optional<weft::result<EchoReply>> reply;
  if (patience != weft::duration::max()) {
    reply = co_await weft::with_timeout(patience, numbered_call(to, key, last, limit));
  } else {
    reply = co_await numbered_call(to, key, last, limit);
  }
  ++t->completed;
  ++t->by_code[reply->code()];
}

// One key's calls, several at a time, each started after the one before it.
weft::task<> one_key(Echo::client to, int key, int calls, std::uint64_t seed, tally* t, weft::scope& s) {
  dice d{seed};
  std::int64_t last = 0;
  std::vector<weft::started<void>> out;
  for (int i = 1; i <= calls; ++i) {
    const weft::duration limit = d.one_in(20) ? weft::duration{std::chrono::milliseconds{1} * d.below(5)} : 20s;
    const auto patience =
        d.one_in(20) ? weft::duration{std::chrono::milliseconds{1} * d.below(5)} : weft::duration::max();
    out.push_back(s.start(one_call(to, key, &last, limit, patience, t)));
    if (out.size() < 8) continue;
    co_await std::move(out.front());
    out.erase(out.begin());
  }
  for (auto& one : out) co_await std::move(one);
}

weft::task<> all_keys(std::vector<Echo::client> clients, int calls_of_a_key, tally* t, weft::scope& s) {
  std::vector<weft::started<void>> out;
  for (int key = 0; key < keys; ++key) {
    out.push_back(s.start(weft::with_scope(&one_key, clients[static_cast<std::size_t>(key)], key, calls_of_a_key,
                                           static_cast<std::uint64_t>(key), t)));
  }
  for (auto& one : out) co_await std::move(one);
}

std::vector<Echo::client> by_key(const weft::session& over) {
  std::vector<Echo::client> clients;
  for (std::uint64_t key = 1; key <= keys; ++key) clients.emplace_back(over.ordered(key));
  return clients;
}

// Without faults: how many calls, in which of three ways, of two methods in turn.
#if WEFT_TSAN || WEFT_ASAN
constexpr int ordered_calls = 128'000;
#else
constexpr int ordered_calls = 1'000'000;
#endif

enum class way { by_key, by_method, unary };
struct two_methods {
  Echo::client say, missing;
};
std::vector<two_methods> clients_of(way w, weft::peer& to, const weft::session& first, const weft::session& second) {
  std::vector<two_methods> clients;
  for (std::uint64_t key = 1; key <= keys; ++key) {
    const Echo::client own{first.ordered(key)};
    if (w == way::by_key) clients.push_back({own, own});
    if (w == way::by_method)
      clients.push_back({Echo::client{first.ordered("Say")}, Echo::client{second.ordered("Missing")}});
    if (w == way::unary) clients.push_back({Echo::client{to}, Echo::client{to}});
  }
  return clients;
}

struct ordered_tally {
  std::uint64_t answered = 0;
};

// Sixteen at a time.
weft::task<> one_ordered_key(two_methods to, int key, int calls, ordered_tally* t, weft::scope& s) {
  std::deque<weft::started<weft::result<EchoReply>>> out;
  for (int i = 1; i <= calls || !out.empty(); ++i) {
    if (i <= calls) {
      const auto& client = i % 2 == 0 ? to.say : to.missing;
      const auto request = numbered(key, i);
      const weft::call_options patient{weft::within{60s}};
      out.push_back(s.start(i % 2 == 0 ? client.Say(request, patient) : client.Missing(request, patient)));
      if (out.size() < 16) continue;
    }
    const auto reply = co_await std::move(out.front());
    out.pop_front();
    if (reply.ok()) ++t->answered;
  }
}

struct kept_order {
  explicit kept_order(int worker, weft::duration spin = {})
      : rt{{.runtime = {.workers = 2, .spin = spin, .log = [](std::string_view) {}}}},
        service{rt,
                {.name = "order", .worker = worker, .reentrancy = weft::reentrancy::interleaved, .mailbox = 100'000}} {
    server.add(service);
    REQUIRE(server.start().ok());
  }
  ~kept_order() {
    server.stop();
    service.stop_and_wait(weft::stop_mode::abort);
  }
  template <class F>
  auto inside(F f) {
    return *weft::sync_wait(rt, weft::as_task(service.call(std::move(f))));
  }
  std::uint64_t inversions() {
    return inside([this] { return service.inversions; });
  }

  weft::rpc_runtime rt;
  order_keeper service;
  weft::server server{rt};
};

}  // namespace

TEST_SUITE("faults: sessions") {
  TEST_CASE("calls over 64 keys with random cancellation, deadlines and breaks end once each, in order") {
    for (const int worker : {0, 1}) {
      CAPTURE(worker);
      const test::no_descriptor_left descriptors;
      tally t;
      int cut = 0;
      std::uint64_t runs = 0;
      std::uint64_t inversions = 0;
      {
        const auto spin = worker == 0 ? weft::duration{20us} : weft::duration::zero();
        kept_order there{worker, spin};
        bad_network between{there.server.port()};
        weft::rpc_runtime rt{{.runtime = {.workers = 2, .spin = spin, .log = [](std::string_view) {}}}};
        {
          weft::peer peer{rt, between.address};
          auto session = peer.session();
          between.resets = true;
          weft::sync_wait(rt, weft::with_scope(&all_keys, by_key(session), all_calls / keys / 2, &t));
          between.resets = false;
        }
        cut = between.cut;
        rt.stop();
        test::serving::check_tags(rt);
        runs = there.inside([&] { return there.service.runs; });
        inversions = there.inversions();
      }
      CHECK(t.completed == t.begun);
      CHECK(t.begun == static_cast<std::uint64_t>(all_calls / keys / 2 * keys));
      CHECK(t.by_code[code::data_loss] == 0);
      CHECK(inversions == 0);
      CHECK(cut > 0);
      CHECK(runs >= t.by_code[code::ok]);
      MESSAGE("cut ", cut, ", ok ", t.by_code[code::ok], ", unavailable ", t.by_code[code::unavailable], ", late ",
              t.by_code[code::deadline_exceeded], ", ran ", runs);
    }
  }

  TEST_CASE(
      "a million calls over 64 keys keep their order over a session; by method, or as unary calls, they need not") {
    std::uint64_t inversions[3] = {};
    for (const auto w : {way::by_key, way::by_method, way::unary}) {
      kept_order there{1};
      weft::rpc_runtime rt{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
      weft::peer peer{rt, there.server.address(), {.connections = 4}};
      ordered_tally t;
      {
        auto first = peer.session();
        auto second = peer.session();
        const int calls = w == way::by_key ? ordered_calls / keys : 500;
        weft::sync_wait(
            rt, weft::with_scope(
                    [](std::vector<two_methods> clients, int calls, ordered_tally* t, weft::scope& s) -> weft::task<> {
                      std::vector<weft::started<void>> out;
                      for (int key = 0; key < keys; ++key) {
                        out.push_back(s.start(
                            weft::with_scope(&one_ordered_key, clients[static_cast<std::size_t>(key)], key, calls, t)));
                      }
                      for (auto& one : out) co_await std::move(one);
                    },
                    clients_of(w, peer, first, second), calls, &t));
        CHECK(t.answered == static_cast<std::uint64_t>(calls) * keys);
      }
      CHECK(there.inside([&] { return there.service.runs; }) == t.answered);
      inversions[static_cast<int>(w)] = there.inversions();
    }
    CHECK(inversions[0] == 0);
    MESSAGE(ordered_calls, " calls by key ", inversions[0], " inversions; 32,000 by method ", inversions[1],
            ", as unary calls ", inversions[2]);
  }
}
