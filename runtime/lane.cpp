#include <weft/runtime/lane.hpp>

#include <string>
#include <weft/runtime/misuse.hpp>

namespace weft {

lane::lane(scope& owner, lane_options options) : state_{std::make_shared<state>(owner, options)} {
  if (options.width == 0)
    misuse(std::string{options.name} + " has width 0, so no job would ever run: give it at least 1");
}

status lane::admit() noexcept {
  auto& s = *state_;
  if (s.owner.stopped()) return cancelled(std::string{s.options.name} + ": its scope is stopped");
  if (s.running < s.options.width) return {};
  if (s.options.when_full == when_full::latest) {
    while (!s.jobs.empty()) s.drop_oldest();
    return {};
  }
  if (s.jobs.size() < s.options.limit) return {};
  if (s.options.when_full == when_full::refuse || s.jobs.empty()) {
    ++s.refused;
    return resource_exhausted(std::string{s.options.name} + " is full: " + std::to_string(s.options.limit) + " wait");
  }
  s.drop_oldest();
  return {};
}

void lane::enqueue(task<> job) {
  state_->jobs.push_back(std::move(job));
  if (state_->running < state_->options.width) state_->start_next();
}

void lane::state::drop_oldest() noexcept {
  auto job = std::move(jobs.front());
  jobs.pop_front();
  ++dropped;
  job.discard();
}

void lane::state::start_next() {
  if (owner.stopped()) {
    while (!jobs.empty()) drop_oldest();
  }
  if (jobs.empty()) return;
  auto job = std::move(jobs.front());
  jobs.pop_front();
  ++running;
  ++started;
  owner.start_job(std::move(job), options.name);
}

lane::turn::~turn() {
  --lane->running;
  lane->start_next();
}

}  // namespace weft
