#include <weft/runtime/long_waits.hpp>

#include <string>
#include <weft/runtime/context.hpp>
#include <weft/runtime/log.hpp>
#include <weft/runtime/monitor.hpp>
#include <weft/runtime/runtime.hpp>
#include <weft/runtime/worker.hpp>

namespace weft {

long_waits::long_waits(worker& w, duration limit) noexcept : worker_{w}, limit_{limit} {
  w.timers().arm(*this, saturating_add(w.now(), limit_ / 4));
}

void long_waits::expired() noexcept {
  found_ = 0;
  look(worker_.roots(), worker_.now());
  if (found_ > monitor_options::most_waits) {
    worker_.owner().log(severity::warning, std::to_string(found_ - monitor_options::most_waits) +
                                               " more tasks of worker " + std::to_string(worker_.index()) +
                                               " wait for long: see weft::dump");
  }
  worker_.timers().arm(*this, saturating_add(worker_.now(), limit_ / 4));
}

void long_waits::look(const context* first, time_point now) noexcept {
  for (const auto* c = first; c != nullptr; c = c->next_) {
    look(c->children_, now);
    auto* w = c->waiting_;
    // A task that only waits for its children is told by them.
    if (w == nullptr || c->children_ != nullptr || w->reported_ || now - w->since_ < limit_) continue;
    w->reported_ = true;
    if (++found_ > monitor_options::most_waits) continue;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - w->since_).count();
    log(*c, severity::warning,
        "task '" + std::string{c->name()} + "' has waited for " + w->what_ + " for " + std::to_string(ms) + " ms");
  }
}

}  // namespace weft
