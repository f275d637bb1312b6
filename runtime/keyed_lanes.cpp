#include <weft/runtime/keyed_lanes.hpp>

#include <string>

namespace weft::detail {
namespace {

constexpr std::size_t most_spare = 256;

}  // namespace

status key_lanes::admit(const key_lane* lane, std::size_t keys) {
  if (owner.stopped()) return cancelled(std::string{options.name} + ": their scope is stopped");
  if (lane == nullptr) return keys < options.keys ? status{} : full(keys, "keys have jobs");
  if (!lane->busy) return {};
  if (lane->jobs.size() >= options.limit) return full(options.limit, "of the key wait");
  if (waiting >= options.waiting) return full(options.waiting, "wait");
  return {};
}

status key_lanes::full(std::size_t count, const char* of_what) {
  ++refused;
  return resource_exhausted(std::string{options.name} + " are full: " + std::to_string(count) + " " + of_what);
}

void key_lanes::enqueue(key_lane& lane, task<> job) {
  if (spare.empty()) {
    lane.jobs.push_back(std::move(job));
  } else {
    spare.front() = std::move(job);
    lane.jobs.splice(lane.jobs.end(), spare, spare.begin());
  }
  ++waiting;
  if (!lane.busy) start_next(lane);
}

task<> key_lanes::take_oldest(key_lane& lane) noexcept {
  --waiting;
  auto job = std::move(lane.jobs.front());
  if (spare.size() < most_spare) {
    spare.splice(spare.begin(), lane.jobs, lane.jobs.begin());
  } else {
    lane.jobs.pop_front();
  }
  return job;
}

bool key_lanes::start_next(key_lane& lane) {
  lane.busy = false;
  while (owner.stopped() && !lane.jobs.empty()) {
    take_oldest(lane).discard();
    ++dropped;
  }
  if (lane.jobs.empty()) return false;
  lane.busy = true;
  ++running;
  ++started;
  owner.start_job(take_oldest(lane), options.name);
  return true;
}

}  // namespace weft::detail
