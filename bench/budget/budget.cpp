// Runs one hot path so many times, for callgrind to count its instructions: `./dev budget`.
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <string_view>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/service.hpp>
#include <weft/runtime/strand.hpp>
#include <weft/runtime/sync_wait.hpp>
#include <weft/runtime/timer_wheel.hpp>
#include <weft/runtime/work.hpp>
#ifdef WEFT_BUDGET_SESSIONS
#include <weft/rpc/session/batch_reader.hpp>
#include <weft/rpc/session/batch_writer.hpp>
#include <weft/runtime/metadata.hpp>
#endif

namespace {

using namespace std::chrono_literals;

int seen = 0;  // what happened, so that it has to happen

// On one worker and this thread, so that the count is the same each time.
weft::task<> call_in_turn(weft::service* to, int times) {
  for (int i = 0; i < times; ++i) {
    auto add_one = [i] { return i + 1; };
    const auto reply = co_await to->call(add_one);
    seen += *reply - i;
  }
}
void local_call(int times) {
  weft::runtime rt{{.workers = 0}};
  weft::service to{rt, {.name = "to"}};
  weft::sync_wait(rt, call_in_turn(&to, times));
  to.stop_and_wait();
}

struct counting final : weft::work {
  void run() noexcept override { ++seen; }
};
void post(int times) {
  weft::runtime rt{{.workers = 0}};
  weft::strand s{rt};
  counting burst[50];
  for (int i = 0; i < times; i += 50) {
    for (auto& w : burst) s.post(w);
    const int all = i + 50;
    while (seen < all) rt.pump();
  }
}

struct silent final : weft::timer {
  void expired() noexcept override {}
};
void timer_arm_cancel(int times) {
  const weft::time_point start{1h};
  weft::timer_wheel wheel{start};
  silent t;
  for (int i = 0; i < times; ++i) {
    wheel.arm(t, start + 5s);
    t.cancel();
    ++seen;
  }
}

#ifdef WEFT_BUDGET_SESSIONS
using namespace weft::detail;

const std::string payload(32, 'x');

call_frame nth_call(int i) {
  return {.id = static_cast<std::uint64_t>(i) + 1,
          .method = 1,
          .path = i == 0 ? "/bench.v1.Echo/Say" : "",
          .request = payload,
          .limit_us = 5'000'000,
          .key = 7,
          .metadata = {}};
}

raw_bytes batch_of(batch_writer& writer, int calls, int first) {
  for (int i = 0; i < calls; ++i) writer.call(nth_call(first + i), nullptr);
  return writer.next();
}

void session_encode(int times) {
  batch_writer writer;
  for (int i = 0; i < times; i += 50) {
    auto batch = batch_of(writer, 50, i);
    seen += batch.empty() ? 0 : 50;
    writer.reuse(std::move(batch));
  }
}

struct counting_parts final : batch_parts {
  weft::status got_attach(const attach_frame&) override { return {}; }
  weft::status got_window(const session_window&) override { return {}; }
  weft::status got_forget(std::uint64_t) override { return {}; }
  weft::status got_call(const call_frame& c) override {
    seen += c.request.size() == payload.size() ? 1 : 0;
    return {};
  }
  weft::status got_reply(const reply_frame&) override { return {}; }
  weft::status got_cancel(std::uint64_t) override { return {}; }
  weft::status got_ping(std::uint64_t) override { return {}; }
  weft::status got_pong(std::uint64_t) override { return {}; }
  weft::status got_go_away(std::uint64_t) override { return {}; }
};
void session_decode(int times) {
  batch_writer writer;
  const auto batch = batch_of(writer, 50, 0);
  const std::string_view bytes{reinterpret_cast<const char*>(batch.data()), batch.size()};
  counting_parts parts;
  for (int i = 0; i < times; i += 50)
    if (!read_batch(bytes, parts).ok()) std::abort();
}
#endif

struct path {
  std::string_view name;
  void (*run)(int times);
};
constexpr path paths[] = {
    {"local_call", local_call},
    {"post", post},
    {"timer_arm_cancel", timer_arm_cancel},
#ifdef WEFT_BUDGET_SESSIONS
    {"session_encode", session_encode},
    {"session_decode", session_decode},
#endif
};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first{argc > 1 ? argv[1] : ""};
  if (first == "--list") {
    for (const auto& p : paths) std::cout << p.name << '\n';
    return 0;
  }
  const int times = argc == 3 ? std::atoi(argv[2]) : 0;
  for (const auto& p : paths) {
    if (p.name != first || times <= 0 || times % 50 != 0) continue;
    p.run(times);
    if (seen == times) return 0;
    std::cerr << "weft-budget: " << first << " happened " << seen << " times instead of " << times << '\n';
    return 1;
  }
  (first == "--help" ? std::cout : std::cerr) << "usage: weft-budget PATH TIMES    TIMES: a multiple of 50\n"
                                                 "       weft-budget --list\n";
  return first == "--help" ? 0 : 2;
}
