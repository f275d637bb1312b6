#include <weft/runtime/lane.hpp>

#include <string>

namespace weft {

lane::lane(scope& owner, lane_options options) : state_{std::make_shared<state>(owner, options)} {}

status lane::admit() noexcept {
  auto& s = *state_;
  if (s.owner.stopped()) return cancelled(std::string{s.options.name} + ": its scope is stopped");
  if (s.running < s.options.width || s.jobs.size() < s.options.limit) return {};
  if (s.options.when_full == when_full::refuse || s.jobs.empty()) {
    ++s.refused;
    return resource_exhausted(std::string{s.options.name} + " is full: " + std::to_string(s.options.limit) + " wait");
  }
  s.jobs.front().discard();
  s.jobs.pop_front();
  ++s.dropped;
  return {};
}

void lane::enqueue(task<> job) {
  state_->jobs.push_back(std::move(job));
  if (state_->running < state_->options.width) state_->start_next();
}

void lane::state::start_next() {
  if (owner.stopped()) {
    dropped += jobs.size();
    for (auto& job : jobs) job.discard();
    jobs.clear();
  }
  if (jobs.empty()) return;
  auto job = std::move(jobs.front());
  jobs.pop_front();
  ++running;
  owner.start_job(std::move(job), options.name);
}

lane::turn::~turn() {
  --lane->running;
  lane->start_next();
}

}  // namespace weft
