// A game's frame loop that pumps weft once a frame, within a budget: how long that takes, under load and with nothing to do.
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>
#include <weft/rpc/peer.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/session.hpp>
#include <weft/runtime/spawn.hpp>

#include "embed/frame_times.hpp"
#include "embed/world.hpp"

using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage = R"(usage: game_loop [options]

A frame loop at 60 Hz pumps weft within 2 ms a frame while 1,000 calls are in flight to a world server, on a core of its own
where there are several, that answers 20,000 a second: over a session, then by unary calls; then with nothing to do, without and with a thread of weft's that waits for
gRPC between two pumps (wake.fd), in whose place the pump looks at gRPC otherwise. Prints how long each frame spent in weft.
  --seconds N    of each of the four (10)
  --in-flight N  calls in flight (1000)
  --rate N       answers a second that the server gives as long as it is asked that often (20000)
  --budget-us N  of a frame for weft (2000)
  --work-us N    of a frame for the game itself, which is busy that long (4000)
  --waiter       the thread also under load
  --check        exit with 1 unless weft takes at most 2.2 ms a frame at p99.9 over the session, with nine tenths of the
                 answers wanted, and with nothing to do less than 5 us with that thread, at the median
  --serve        be the world server; this is how the program starts it
  --help         this text
)";

struct settings {
  std::chrono::seconds seconds;
  std::uint64_t in_flight;
  std::uint64_t rate;
  std::chrono::microseconds budget;
  std::chrono::microseconds work;
  bool waiter;

  weft::duration warm_up() const { return std::min<weft::duration>(1s, weft::duration{seconds} / 4); }
};

struct outcome {
  embed::frame_times times;
  double answers_a_second = 0;
};

/// The game: each frame it is busy for a while, then weft has its turn.
constexpr std::chrono::nanoseconds frame_length{1'000'000'000 / 60};

template <class Frame>
void frames(std::chrono::microseconds work, weft::duration length, Frame frame) {
  const auto start = std::chrono::steady_clock::now();
  for (auto next = start; next - start < length; next += frame_length) {
    std::this_thread::sleep_until(next);
    const auto busy_until = std::chrono::steady_clock::now() + work;
    while (std::chrono::steady_clock::now() < busy_until) {
    }
    frame();
  }
}

/// Frames in which calls go to and fro; at the end all of them are cancelled.
outcome under_load(const settings& s, const std::string& address, bool over_session) {
  weft::rpc_runtime rt{{.runtime = {.workers = 0, .wake = {.fd = s.waiter}}}};
  weft::peer peer{rt, address};
  std::unique_ptr<weft::session> session;
  if (over_session) session = std::make_unique<weft::session>(peer);
  outcome o;
  std::uint64_t answered = 0;
  // An answer is seen in the next frame at the earliest, and what is asked then leaves with it.
  const auto round = std::chrono::microseconds{s.in_flight * 1'000'000 / s.rate};
  const auto think = std::max(0us, std::chrono::duration_cast<std::chrono::microseconds>(round - frame_length / 2));
  const auto forever = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < s.in_flight; ++i) {
    const auto world = session ? embed::v1::World::client{session->ordered(i + 1)} : embed::v1::World::client{peer};
    weft::spawn(rt.control(), "wander", &embed::wander, world, i, think, forever, &answered);
  }
  const auto pump = [&] {
    const auto before = std::chrono::steady_clock::now();
    rt.pump({.budget = s.budget});
    return std::chrono::steady_clock::now() - before;
  };
  frames(s.work, s.warm_up(), pump);  // until they are connected and spread
  const auto before = answered;
  frames(s.work, s.seconds, [&] { o.times.add(pump()); });
  o.answers_a_second = static_cast<double>(answered - before) / static_cast<double>(s.seconds.count());
  rt.stop();
  return o;
}

/// Frames in which nothing happens, with a connection that is open.
outcome with_nothing_to_do(const settings& s, const std::string& address, bool waiter) {
  weft::rpc_runtime rt{{.runtime = {.workers = 0, .wake = {.fd = waiter}}}};
  weft::peer peer{rt, address};
  const weft::session session{peer};
  std::uint64_t answered = 0;
  weft::spawn(rt.control(), "wander", &embed::wander, embed::v1::World::client{session.unordered()}, 0, 0us, 1,
              &answered);
  const auto pump = [&] {
    const auto begin = std::chrono::steady_clock::now();
    rt.pump({.budget = s.budget});
    return std::chrono::steady_clock::now() - begin;
  };
  frames(s.work, s.warm_up(), pump);
  outcome o;
  frames(s.work, s.seconds, [&] { o.times.add(pump()); });
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  const lobby::flag known[] = {{"--seconds"}, {"--in-flight"},    {"--rate"},         {"--budget-us"},
                               {"--work-us"}, {"--check", false}, {"--waiter", false}};
  auto line = embed::read_command_line(argc, argv, usage, known);
  const settings s{.seconds = std::chrono::seconds{line.number("--seconds", 10, 1, 3'600)},
                   .in_flight = line.number("--in-flight", 1'000, 1, 100'000),
                   .rate = line.number("--rate", 20'000, 1, 1'000'000),
                   .budget = std::chrono::microseconds{line.number("--budget-us", 2'000, 0, 1'000'000)},
                   .work = std::chrono::microseconds{line.number("--work-us", 4'000, 0, 16'000)},
                   .waiter = line.given.has("--waiter")};
  if (line.code >= 0) return line.code;
  const embed::world_server remote;  // first, while this process has no other threads
  if (remote.address().empty()) {
    std::cerr << remote.trouble() << "\n";
    return 1;
  }

  const auto session = under_load(s, remote.address(), true);
  session.times.print(std::cout,
                      "session, " + std::to_string(static_cast<int>(session.answers_a_second)) + " answers/s");
  const auto unary = under_load(s, remote.address(), false);
  unary.times.print(std::cout, "unary, " + std::to_string(static_cast<int>(unary.answers_a_second)) + " answers/s");
  with_nothing_to_do(s, remote.address(), false).times.print(std::cout, "nothing to do, without a waiting thread");
  const auto nothing = with_nothing_to_do(s, remote.address(), true);
  nothing.times.print(std::cout, "nothing to do, with a waiting thread");

  if (session.answers_a_second <= 0 || unary.answers_a_second <= 0) {
    std::cerr << "game_loop: nothing was answered\n";
    return 1;
  }
  if (!line.given.has("--check")) return 0;
  const bool good = session.times.percentile_us(0.999) <= 2'200 && nothing.times.percentile_us(0.5) < 5 &&
                    session.answers_a_second >= 0.9 * static_cast<double>(s.rate);
  if (!good) std::cerr << "game_loop: not within the limits\n";
  return good ? 0 : 1;
}
