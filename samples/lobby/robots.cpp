#include "lobby/robots.hpp"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <weft/runtime/net/tcp.hpp>
#include <weft/runtime/ok.hpp>
#include <weft/runtime/scope.hpp>
#include <weft/runtime/with_timeout.hpp>

#include "lobby/robot.hpp"

namespace lobby {
namespace {

using namespace std::chrono_literals;

class company {
 public:
  company(weft::io& sockets, weft::strand& home, const weft::clock& time, robots_options options, tally& counts)
      : sockets_{sockets}, home_{home}, time_{time}, options_{std::move(options)}, counts_{counts} {}

  weft::task<> play(weft::scope& all) {
    const auto until = time_.now() + options_.time;
    random_source seeds{options_.seed};
    for (const auto seats : table_sizes(options_.robots, options_.seed)) {
      robot_plan plan{
          .name = "robot-" + std::to_string(options_.seed) + "-" + std::to_string(all.running()),
          .seats = seats,
          .seed = seeds.next(),
          .until = until,
          .last_call = until + options_.grace,
      };
      std::ignore = all.start(play_one(std::move(plan), all), "robot");
    }
    co_return;
  }

  /// Why not everybody could connect.
  const weft::status& not_connected() const { return not_connected_; }

 private:
  weft::task<> play_one(robot_plan plan, weft::scope& all) {
    auto connected = co_await weft::with_timeout(10s, weft::tcp_connect(sockets_, home_, options_.address));
    if (!connected.ok()) {
      if (connected.code() == weft::code::cancelled) co_return;
      not_connected_ = connected.status();
      all.stop();
      co_return;
    }
    const auto name = plan.name;
    robot one{**connected, time_, std::move(plan), counts_};
    const auto outcome = co_await one.run();
    if (outcome.ok() || outcome.code() == weft::code::cancelled) co_return;
    if (counts_.robots_failed++ == 0) counts_.first_failure = name + ": " + outcome.to_string();
  }

  weft::io& sockets_;
  weft::strand& home_;
  const weft::clock& time_;
  const robots_options options_;
  tally& counts_;
  weft::status not_connected_;
};

}  // namespace

std::vector<std::uint32_t> table_sizes(int robots, std::uint64_t seed) {
  random_source random{seed};
  std::vector<std::uint32_t> sizes;
  for (auto left = static_cast<std::uint32_t>(robots); left > 0;) {
    auto size = std::min(left, 2 + static_cast<std::uint32_t>(random.below(3)));
    if (left - size == 1) size = size == 2 ? 3 : size - 1;  // nobody plays alone
    sizes.insert(sizes.end(), size, size);
    left -= size;
  }
  return sizes;
}

weft::task<weft::status> play(weft::io& sockets, weft::strand& home, const weft::clock& time, robots_options options,
                              tally& counts) {
  company all{sockets, home, time, std::move(options), counts};
  co_await weft::with_scope(&company::play, &all);
  co_await weft::ok(all.not_connected());
  const auto& ctx = co_await weft::current();
  co_return ctx.stopped() ? weft::cancelled("stopped while robots played") : weft::status{};
}

}  // namespace lobby
