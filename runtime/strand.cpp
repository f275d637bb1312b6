#include <weft/runtime/strand.hpp>

#include <string>
#include <weft/runtime/misuse.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/visit.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {
strand::strand(runtime& rt, strand_options options)
    : strand{rt.worker_at(options.worker < 0 ? 0 : options.worker), options} {}

strand::strand(weft::worker& home, strand_options options) : home_{home}, name_{options.name}, limit_{options.limit} {}

strand::~strand() {
  // The worker may still be in the round in which this strand ran its last entry.
  if (worker::current() == nullptr) {
    visit(home_, [] {});
  } else if (!on_home()) {
    misuse("strand '" + std::string{name_} + "' was destroyed on a worker that is not its home: destroy it on its own");
  }
  if (!empty()) {
    misuse("strand '" + std::string{name_} + "' was destroyed with work queued: stop what uses it and wait first");
  }
  if (ready_) home_.remove_ready(*this);
  home_.running_.forget(*this);
}

bool strand::on_home() const noexcept { return worker::current() == &home_; }

bool strand::running_here() const noexcept { return worker::current_strand() == this; }

bool strand::post(work& w) noexcept {
  w.target = this;
  if (on_home()) {
    enqueue(w);
    return true;
  }
  return home_.submit(w);
}

status strand::try_post(work& w) noexcept {
  w.counted = true;
  if (!on_home()) {
    return post(w) ? status{} : unavailable("the runtime has ended");
  }
  if (closed_) return unavailable("strand '" + std::string{name_} + "' is closed");
  if (messages_ >= limit_) {
    return resource_exhausted("strand '" + std::string{name_} + "' has " + std::to_string(limit_) + " messages queued");
  }
  w.target = this;
  enqueue(w);
  return {};
}

std::size_t strand::queued(std::size_t most) const noexcept {
  std::size_t n = 0;
  for (const auto* head : {due_.head, queue_.head}) {
    for (const auto* w = head; w != nullptr && n < most; w = w->next) ++n;
  }
  return n;
}

void strand::enqueue(work& w) noexcept {
  if (w.counted) ++messages_;
  (home_.firing_ ? due_ : queue_).push(w);
  if (!ready_) home_.push_ready(*this);
}

}  // namespace weft
