#include <weft/test/world.hpp>
#include <weft/runtime/context.hpp>
#include <weft/runtime/dump.hpp>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/visit.hpp>

namespace weft::test {
namespace {

// A pump ends after 16,384 entries while the clock stands still: about 10 million.
constexpr unsigned most_pumps_standing = 640;

}  // namespace

world::world(world_options options)
    : world_parts{options},
      weft::runtime{{.workers = 0,
                     .time = &clock,
                     .log = std::move(options.log),
                     .order = options.seed != 0 || options.trace ? &order : nullptr}},
      seed_{options.seed},
      patience_{options.patience},
      random_{~options.seed} {}

time_point world::step() {
  const auto left = pump();
  if (!left.more) return left.next_timer;
  if (++standing_ == most_pumps_standing) {
    standing_ = 0;
    throw hang{"weft::test: work goes on and on while time stands still\n" + dump(*this)};
  }
  return time_point::min();
}

void world::settle() {
  while (step() <= now()) {
  }
  standing_ = 0;
}

void world::advance(duration by) {
  const auto until = saturating_add(now(), by);
  for (;;) {
    const auto next = step();
    if (next <= now()) continue;
    standing_ = 0;
    const auto to = std::min(next, until);
    if (to == now()) return;
    clock.advance(to - now());
  }
}

void world::drive(context& root, const std::function<bool()>& done) {
  const auto limit = saturating_add(now(), patience_);
  standing_ = 0;
  while (!done()) {
    time_point next;
    try {
      next = step();
    } catch (const hang& h) {
      give_up(root, done, h.what());
    }
    if (done() || next <= now()) continue;
    if (next == never) give_up(root, done, "everything waits and no timer is armed");
    if (next > limit) give_up(root, done, "it has not ended within the patience (virtual time)");
    standing_ = 0;
    clock.advance(next - now());
  }
}

// The task is stopped, so that it ends and what it refers to may go.
void world::give_up(context& root, const std::function<bool()>& done, const char* why) {
  const auto report = "weft::test: the task hangs: " + std::string{why} + "\n" + dump(*this);
  visit(worker_at(0), [&root] { root.stop(); });
  for (unsigned pumps = 0; !done(); ++pumps) {
    const auto left = pump();
    if (done()) break;
    if (pumps == most_pumps_standing || (!left.more && left.next_timer == never)) {
      misuse(report + "it does not end when it is stopped either");
    }
    if (!left.more && left.next_timer > now()) clock.advance(left.next_timer - now());
  }
  throw hang{report};
}

}  // namespace weft::test
