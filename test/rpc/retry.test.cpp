#include <csignal>
#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weft/rpc/listener.hpp>
#include <weft/rpc/retry.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/spawn.hpp>
#include <weft/runtime/visit.hpp>

#include "../support/two_sides.hpp"
#include "test/v1/counter.weft.hpp"

using namespace std::chrono_literals;
using test::v1::AddReply;
using test::v1::AddRequest;
using test::v1::Counter;
using weft::code;

namespace {

// A file to which each execution adds a byte: what a process that is killed leaves behind.
struct executions {
  executions() {
    const int made = mkstemp(file.data());
    REQUIRE(made >= 0);
    close(made);
  }
  ~executions() { std::filesystem::remove(file); }
  executions(const executions&) = delete;
  executions& operator=(const executions&) = delete;
  std::uintmax_t count() const { return std::filesystem::file_size(file); }
  std::string file = (std::filesystem::temp_directory_path() / "weft-executions-XXXXXX").string();
};

// counter_server in a process of its own, until this goes.
class server_elsewhere {
 public:
  server_elsewhere(const std::string& address, const executions& e, bool kills, int not_before = 0,
                   std::chrono::microseconds delay = 0us) {
    std::vector<std::string> words{
        COUNTER_SERVER, address, e.file, kills ? "1" : "0", std::to_string(not_before), std::to_string(delay.count())};
    std::vector<char*> arguments;
    for (auto& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    REQUIRE(posix_spawn(&child_, COUNTER_SERVER, nullptr, nullptr, arguments.data(), environ) == 0);
  }
  ~server_elsewhere() { end(); }
  server_elsewhere(const server_elsewhere&) = delete;
  server_elsewhere& operator=(const server_elsewhere&) = delete;
  void end() {
    if (child_ == 0) return;
    kill(child_, SIGKILL);
    waitpid(std::exchange(child_, 0), nullptr, 0);
  }

 private:
  pid_t child_ = 0;
};

std::string free_address() {
  weft::listener l{[](int) {}, [](const std::string&) {}};
  const auto port = l.bind("127.0.0.1:0");
  REQUIRE(port.ok());
  return "127.0.0.1:" + std::to_string(*port);
}

weft::peer_options retrying(int attempts = 100) {
  weft::peer_options o;
  o.retries = {{.attempts = attempts, .first_backoff = 10ms, .most_backoff = 100ms}};
  return o;
}

weft::result<AddReply> add(const std::string& address, bool idempotent) {
  weft::rpc_runtime rt;
  weft::peer peer{rt, address, retrying()};
  const Counter::client counter{peer};
  auto call =
      idempotent ? counter.Add(AddRequest{}, weft::within{20s}) : counter.AddOnce(AddRequest{}, weft::within{20s});
  return weft::sync_wait(rt, weft::as_task(std::move(call)));
}

// Fails so often, then answers.
struct failing_service final : Counter::service {
  using service::service;
  weft::reply<AddReply> Add(AddRequest&) override { return next(); }
  weft::reply<AddReply> AddOnce(AddRequest&) override { return next(); }
  weft::reply<AddReply> next() {
    ++executions;
    if (failures != 0) {
      --failures;
      co_return weft::unavailable("not now");
    }
    co_return AddReply{};
  }
  int failures = 0;
  std::atomic<int> executions = 0;
};

struct failing_server {
  explicit failing_server(weft::peer_options o, weft::service_options s = {}) : service{rt, s} {
    server.add(service);
    REQUIRE(server.start().ok());
    peer = std::make_unique<weft::peer>(client, server.address(), o);
  }
  ~failing_server() {
    client.stop();
    server.stop();
    service.stop_and_wait(weft::stop_mode::abort);
  }
  void fail(int times) {
    weft::visit(rt.worker_at(0), [&] { service.failures = times; });
  }
  code add() { return weft::sync_wait(client, weft::as_task(Counter::client{*peer}.Add(AddRequest{}))).code(); }
  code add_once() {
    return weft::sync_wait(client, weft::as_task(Counter::client{*peer}.AddOnce(AddRequest{}))).code();
  }
  int executions() const { return service.executions; }

  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  failing_service service;
  weft::server server{rt};
  weft::rpc_runtime client;
  std::unique_ptr<weft::peer> peer;
};

weft::reply<AddReply> add_within_an_hour(weft::peer* p) {
  co_return co_await Counter::client{*p}.Add(AddRequest{}, weft::within{1h});
}
weft::task<code> stopped_between_attempts(failing_server* f, weft::scope& s) {
  const auto& queue = f->client.queue().counters();
  const auto before = f->executions();
  auto call = s.start(add_within_an_hour, f->peer.get());
  while (f->executions() == before || queue.calls != 0) std::ignore = co_await weft::sleep_for(1ms);
  call.stop();
  const auto reply = co_await std::move(call);
  co_return reply.code();
}

}  // namespace

TEST_SUITE("retry") {
  TEST_CASE("R13: a server that was killed before the call: made again, and run once, idempotent or not") {
    for (const bool idempotent : {false, true}) {
      CAPTURE(idempotent);
      const executions ran;
      const auto address = free_address();
      server_elsewhere before{address, ran, false};
      CHECK(add(address, idempotent).ok());
      before.end();
      const server_elsewhere after{address, ran, false, 1, 300ms};  // calls fail until then
      const auto reply = add(address, idempotent);
      CHECK_MESSAGE(reply.ok(), reply.status());
      CHECK(ran.count() == 2);  // once for each call
    }
  }

  TEST_CASE("R13: a server that is killed after the handler ran: made again only when it is declared idempotent") {
    for (const bool idempotent : {false, true}) {
      CAPTURE(idempotent);
      const executions ran;
      const auto address = free_address();
      const server_elsewhere first{address, ran, true};
      const server_elsewhere second{address, ran, false, 1};
      const auto reply = add(address, idempotent);
      if (idempotent) {
        CHECK_MESSAGE(reply.ok(), reply.status());
      } else {
        CHECK(reply.code() == code::unavailable);
      }
      CHECK(ran.count() == (idempotent ? 2 : 1));
    }
  }

  TEST_CASE("an idempotent method is called again as often as its policy says, another one is not") {
    failing_server f{retrying(3)};
    f.fail(2);
    CHECK(f.add() == code::ok);
    CHECK(f.executions() == 3);
    f.fail(3);
    CHECK(f.add() == code::unavailable);
    CHECK(f.executions() == 6);
    f.fail(1);
    CHECK(f.add_once() == code::unavailable);
    CHECK(f.executions() == 7);
  }

  TEST_CASE("a call that the server refused surely did not run: it is made again") {
    auto options = retrying(50);
    options.retries[0].codes = {code::resource_exhausted};
    failing_server f{options, {.mailbox = 0, .running = 1}};
    weft::spawn(
        f.rt.control(), "holds the service",
        [](weft::service* s) -> weft::task<> {
          std::ignore = co_await s->call([] { return weft::as_task(weft::sleep_for(100ms)); });
        },
        &f.service);
    for (std::size_t running = 0; running == 0; std::this_thread::yield()) {
      weft::visit(f.rt.worker_at(0), [&] { running = f.service.running(); });
    }
    CHECK(f.add_once() == code::ok);
    CHECK(f.executions() == 1);
  }

  TEST_CASE(
      "a call of which no attempt reached the server says that it surely did not run, one that may have run does not") {
    weft::rpc_runtime rt;
    weft::peer nowhere{rt, free_address(), retrying(3)};
    bool may_have_run = true;
    const auto watched = [&] { return weft::call_options{}.may_have_run_into(may_have_run); };
    CHECK(weft::sync_wait(rt, weft::as_task(Counter::client{nowhere}.Add(AddRequest{}, watched()))).code() ==
          code::unavailable);
    CHECK_FALSE(may_have_run);
    failing_server f{retrying(3)};
    f.fail(3);
    CHECK(weft::sync_wait(f.client, weft::as_task(Counter::client{*f.peer}.Add(AddRequest{}, watched()))).code() ==
          code::unavailable);
    CHECK(may_have_run);
  }

  TEST_CASE("while most calls fail nothing is made again") {
    failing_server f{retrying(3)};
    f.fail(1'000);
    for (int i = 0; i < 30; ++i) CHECK(f.add() == code::unavailable);
    const int before = f.executions();
    for (int i = 0; i < 10; ++i) CHECK(f.add() == code::unavailable);
    CHECK(f.executions() - before == 10);
    f.fail(0);
    for (int i = 0; i < 100; ++i) CHECK(f.add() == code::ok);
    f.fail(2);
    CHECK(f.add() == code::ok);
  }

  TEST_CASE("the deadline holds for all attempts together, and stop ends a wait between them") {
    for (const bool beneath_middleware : {false, true}) {
      CAPTURE(beneath_middleware);
      auto options = retrying(1'000);
      if (beneath_middleware) options.forward = {"x-player"};
      options.retries[0].most_backoff = options.retries[0].first_backoff = 60s;
      failing_server f{options};
      f.fail(1'000);
      CHECK(f.add() == code::unavailable);  // its 5 s would be over before the second attempt
      const auto began = std::chrono::steady_clock::now();
      const auto stopped = weft::sync_wait(f.client, weft::with_scope(stopped_between_attempts, &f));
      CHECK(stopped == code::cancelled);
      CHECK(std::chrono::steady_clock::now() - began < 10s);
      CHECK(f.add() == code::unavailable);  // the worker goes on
    }
  }

  TEST_CASE("one-way calls between two attempts end with their runtime, on any of its workers") {
    auto options = retrying(1'000);
    options.retries[0].most_backoff = options.retries[0].first_backoff = 1h;
    failing_server f{options};
    f.fail(1'000);
    weft::rpc_runtime client{{.runtime = {.workers = 2}}};
    auto peer = std::make_unique<weft::peer>(client, f.server.address(), options);
    const std::weak_ptr<weft::detail::channel> kept = peer->shared_channel();
    weft::strand elsewhere{client.worker_at(1)};
    for (auto* from : {&client.control(), &elsewhere}) {
      weft::spawn(
          *from, "sends",
          [](weft::peer* p) -> weft::task<> {
            const auto sent = Counter::client{*p}.Add(AddRequest{}, weft::within{100h}).send();
            CHECK(sent.ok());
            co_return;
          },
          peer.get());
    }
    const auto& queue = client.queue().counters();
    for (std::uint64_t out = 1; f.executions() < 2 || out != 0; std::this_thread::yield()) {
      weft::visit(client.worker_at(0), [&] { out = queue.calls; });
    }
    peer.reset();
    CHECK_FALSE(kept.expired());
    client.stop();
    CHECK(kept.expired());
  }

  TEST_CASE("waits grow, have an end, and differ") {
    const weft::retry_policy p{.first_backoff = 100ms, .most_backoff = 1s};
    CHECK(p.backoff_before(2, 0) == 80ms);
    CHECK(p.backoff_before(2, 1) == 120ms);
    CHECK(p.backoff_before(3, 0.5) == 200ms);
    CHECK(p.backoff_before(20, 0.5) == 1s);
  }

  TEST_CASE("a policy that makes no sense is named, and the peer's calls fail with that") {
    const auto problem = [](weft::retry_policy p) {
      weft::rpc_runtime rt;
      weft::peer_options options;
      options.retries = {std::move(p)};
      return weft::peer{rt, "127.0.0.1:1", options}.problem();
    };
    CHECK(problem({.methods = "/a.B/*", .attempts = 0}) ==
          weft::invalid_argument("peer '127.0.0.1:1': retry policy of '/a.B/*': it needs an attempt, not 0"));
    CHECK_FALSE(problem({.first_backoff = 2s, .most_backoff = 1s}).ok());
    CHECK_FALSE(problem({.backoff_factor = 0.5}).ok());
    CHECK_FALSE(problem({.codes = {code::ok}}).ok());
  }
}
