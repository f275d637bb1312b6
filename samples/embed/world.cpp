#include "embed/world.hpp"

#include <sched.h>

#include <csignal>
#include <cstdint>
#include <iostream>
#include <random>
#include <tuple>
#include <unordered_map>
#include <vector>
#include <weft/rpc/rpc_runtime.hpp>
#include <weft/rpc/server.hpp>
#include <weft/runtime/io.hpp>
#include <weft/runtime/signals.hpp>
#include <weft/runtime/sleep.hpp>
#include <weft/runtime/sync_wait.hpp>

using namespace std::chrono_literals;

namespace embed {
namespace {

class world final : public v1::World::service {
 public:
  using service::service;

  weft::reply<v1::MoveReply> Move(v1::MoveRequest& request) override {
    if (request.think_us() != 0) std::ignore = co_await weft::sleep_for(std::chrono::microseconds{request.think_us()});
    auto& at = entities_[request.entity()];
    at.set_x(at.x() + request.dx());
    at.set_y(at.y() + request.dy());
    co_return at;
  }

 private:
  std::unordered_map<std::uint32_t, v1::MoveReply> entities_;
};

// Where there are several cores the world has the last one to itself: it takes no time from the frames that are measured
// beside it. For this thread, and those that it starts.
enum class side : std::uint8_t { world, game };
void keep_to_cores_of(side who) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) != 0 || CPU_COUNT(&cores) < 2) return;
  auto last = CPU_SETSIZE - 1;
  while (!CPU_ISSET(last, &cores)) --last;
  if (who == side::world) CPU_ZERO(&cores);
  who == side::world ? CPU_SET(last, &cores) : CPU_CLR(last, &cores);
  std::ignore = sched_setaffinity(0, sizeof cores, &cores);
}

}  // namespace

int serve_world() {
  keep_to_cores_of(side::world);
  weft::rpc_runtime rt{{.runtime = {.log = [](std::string_view) {}}}};
  weft::io io;
  weft::signals asked{io, {SIGINT, SIGTERM}};
  world here{rt};
  weft::server server{rt};
  server.add(here);
  const auto started = server.start();
  (started.ok() ? std::cout << server.address() : std::cerr << started) << '\n' << std::flush;
  if (started.ok()) std::ignore = weft::sync_wait(rt, asked.next());
  server.stop();
  here.stop_and_wait(weft::stop_mode::abort);
  return started.ok() ? 0 : 1;
}

world_server::world_server() : child_{&children_.start("world", {"/proc/self/exe", "--serve"})} {
  children_.wait(10s, [&] { return !child_->output().empty() || !child_->running(); });
  if (!child_->output().empty()) address_ = child_->output().front();
  keep_to_cores_of(side::game);
}

weft::task<> wander(v1::World::client world, std::uint32_t entity, std::chrono::microseconds think, std::uint64_t times,
                    std::uint64_t* answered) {
  auto& ctx = co_await weft::current();
  v1::MoveRequest request;
  request.set_entity(entity);
  request.set_dx(1);
  std::minstd_rand dice{entity};
  std::uniform_int_distribution<std::uint32_t> thought(static_cast<std::uint32_t>(think.count() / 2),
                                                       static_cast<std::uint32_t>(think.count() * 3 / 2));
  for (std::uint64_t i = 0; i < times && !ctx.stopped(); ++i) {
    request.set_think_us(thought(dice));
    auto reply = co_await world.Move(request);
    if (reply.ok()) ++*answered;
  }
}

std::uint64_t command_line::number(std::string_view name, std::uint64_t otherwise, std::uint64_t least,
                                   std::uint64_t most) {
  const auto n = given.number(name, otherwise, least, most);
  if (n.ok()) return *n;
  std::cerr << n.status().message() << "\n";
  code = 2;
  return otherwise;
}

command_line read_command_line(int argc, char** argv, std::string_view usage, std::span<const lobby::flag> known) {
  std::vector<lobby::flag> all(known.begin(), known.end());
  all.push_back({"--help", false});
  all.push_back({"--serve", false});
  command_line c;
  auto parsed = lobby::flags::parse({argv + 1, static_cast<std::size_t>(argc - 1)}, all);
  if (!parsed.ok()) {
    std::cerr << parsed.status().message() << "\n" << usage;
    c.code = 2;
    return c;
  }
  c.given = *std::move(parsed);
  if (c.given.has("--help")) {
    std::cout << usage;
    c.code = 0;
  } else if (c.given.has("--serve")) {
    c.code = serve_world();
  }
  return c;
}

}  // namespace embed
