#pragma once
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/process_setup.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/config.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

#include "descriptors.hpp"
#include "echo_service.hpp"

// What tests of faults check at their end: nothing is left of any call.

namespace test {

/// Calls of a test: each completes once.
struct call_count {
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> completed{0};
};

/// All descriptors are back when it goes, except what gRPC keeps from its first use in a process. First of a test's locals.
class no_descriptor_left {
 public:
  no_descriptor_left() {
    {
      const weft::rpc_runtime first;
    }
    weft::wait_until_grpc_is_down();
    before_ = open_descriptors().size();
  }
  ~no_descriptor_left() {
    weft::wait_until_grpc_is_down();
    CHECK(open_descriptors().size() == before_);
  }
  no_descriptor_left(const no_descriptor_left&) = delete;
  no_descriptor_left& operator=(const no_descriptor_left&) = delete;

 private:
  std::size_t before_ = 0;
};

/// A server with the echo service, as in a process of its own.
class serving {
 public:
  explicit serving(int worker = 0, weft::server_options o = {}, weft::service_options s = {})
      : service{rt, on_worker(s, worker)}, server{rt, std::move(o)} {
    server.add(service);
    const auto started = server.start();
    REQUIRE_MESSAGE(started.ok(), started);
  }
  ~serving() { end(); }
  serving(const serving&) = delete;
  serving& operator=(const serving&) = delete;

  /// Runs on the service's strand and comes back.
  template <class F>
  auto inside(F f) {
    return *weft::sync_wait(rt, weft::as_task(service.call(std::move(f))));
  }
  /// Handlers in progress, with the one that looks.
  std::size_t handlers() {
    return inside([this] { return service.running(); });
  }
  /// Returns when no handler is in progress.
  void wait_until_idle() {
    weft::sync_wait(rt, [](echo_service* s) -> weft::task<> {
      const auto others = [s] { return s->running() - 1; };  // without the one that looks
      for (auto left = co_await s->call(others); *left != 0; left = co_await s->call(others)) {
        std::ignore = co_await weft::sleep_for(std::chrono::milliseconds{1});
      }
    }(&service));
  }
  /// In the order of a program that means to end.
  void end() {
    if (ended_) return;
    server.stop();
    service.stop_and_wait(weft::stop_mode::abort);
    end_at_once();
  }
  /// The runtime's end takes everything with it.
  void end_at_once() {
    ended_ = true;
    rt.stop();
    check_tags(rt);
    CHECK(service.running() == 0);
  }
  static void check_tags(weft::rpc_runtime& stopped) {
    const auto& c = stopped.queue().counters();
    CHECK(c.started == c.ended);
    CHECK(c.calls == 0);
  }

  weft::rpc_runtime rt{{.runtime = {.workers = 2, .log = [](std::string_view) {}}}};
  echo_service service;
  weft::server server;

 private:
  bool ended_ = false;
  static weft::service_options on_worker(weft::service_options o, int worker) {
    o.worker = worker;
    return o;
  }
};

}  // namespace test
