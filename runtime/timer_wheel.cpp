#include <weft/runtime/timer_wheel.hpp>

#include <algorithm>
#include <bit>
#include <weft/runtime/run_order.hpp>

namespace weft {

std::uint64_t timer_wheel::tick_at_or_after(time_point t) const noexcept {
  if (t <= origin_) return 0;
  const auto since = static_cast<std::uint64_t>((t - origin_).count());
  const auto length = static_cast<std::uint64_t>(tick.count());
  return since / length + (since % length != 0 ? 1 : 0);
}

void timer_wheel::arm(timer& t, time_point due) noexcept {
  t.unlink();
  t.tick_ = std::min(tick_at_or_after(due), now_ + horizon);
  t.insert_before(fresh_);
}

void timer_wheel::settle_fresh() noexcept {
  while (fresh_.linked()) {
    auto& t = static_cast<timer&>(*fresh_.next);
    t.unlink();
    place(t);
  }
}

// The highest bit in which a timer's tick differs from now names its level: it shares everything above with now, so its
// slot lies ahead on that level and is reached before the level wraps.
void timer_wheel::place(timer& t) noexcept {
  t.tick_ = std::max(t.tick_, now_ + 1);
  const auto differ = t.tick_ ^ now_;
  const auto level = std::min<unsigned>((63U - static_cast<unsigned>(std::countl_zero(differ))) / bits, levels - 1);
  const auto slot = static_cast<unsigned>(t.tick_ >> (bits * level)) % slots;
  t.insert_before(wheel_[level][slot]);
  occupied_[level] |= std::uint64_t{1} << slot;
}

bool timer_wheel::next_expiry(expiry& out) noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    const auto current = static_cast<unsigned>(now_ >> (bits * level)) % slots;
    while (occupied_[level] != 0) {
      const auto ahead =
          static_cast<unsigned>(std::countr_zero(std::rotr(occupied_[level], static_cast<int>(current))));
      const auto slot = (current + ahead) % slots;
      if (!wheel_[level][slot].linked()) {
        occupied_[level] &= ~(std::uint64_t{1} << slot);
        continue;
      }
      const auto slot_range = std::uint64_t{1} << (bits * level);
      const auto level_range = slot_range << bits;
      auto at = (now_ & ~(level_range - 1)) + slot * slot_range;
      if (at <= now_) at += level_range;  // only the top level wraps
      out = {level, slot, at};
      return true;
    }
  }
  return false;
}

std::size_t timer_wheel::drop_all(timer_link& list) noexcept {
  std::size_t dropped = 0;
  for (; list.linked(); ++dropped) {
    auto& t = static_cast<timer&>(*list.next);
    t.unlink();
    t.dropped();
  }
  return dropped;
}

std::size_t timer_wheel::drop_all() noexcept {
  std::size_t dropped = 0;
  for (auto& level : wheel_) {
    for (auto& slot : level) dropped += drop_all(slot);
  }
  return dropped + drop_all(fresh_);  // where those that are armed meanwhile are
}

std::size_t timer_wheel::advance(time_point now) noexcept {
  const auto target = now <= origin_ ? 0 : static_cast<std::uint64_t>((now - origin_) / tick);
  std::size_t fired = 0;
  expiry next{};
  // What an expiring timer arms within the advanced span fires in the same advance.
  while (settle_fresh(), now_ < target && next_expiry(next) && next.tick <= target) {
    now_ = next.tick;
    occupied_[next.level] &= ~(std::uint64_t{1} << next.slot);
    timer_link due;  // detached first: an expiring timer may cancel others of the same slot
    auto& slot = wheel_[next.level][next.slot];
    while (slot.linked()) {
      auto& link = *slot.next;
      link.unlink();
      link.insert_before(due);
    }
    if (order_ != nullptr) let_order_choose(due);
    while (due.linked()) {
      auto& t = static_cast<timer&>(*due.next);
      t.unlink();
      if (t.tick_ > now_) {
        place(t);
      } else {
        t.expired();
        ++fired;
      }
    }
  }
  now_ = std::max(now_, target);
  return fired;
}

// Moves them, as chosen, from the list of those that are left to that of those that are in order.
void timer_wheel::let_order_choose(timer_link& due) noexcept {
  std::size_t left = 0;
  for (auto* link = due.next; link != &due; link = link->next) ++left;
  timer_link ordered;
  for (; left != 0; --left) {
    auto* chosen = due.next;
    for (auto ahead = order_->choose(left); ahead != 0; --ahead) chosen = chosen->next;
    chosen->unlink();
    chosen->insert_before(ordered);
  }
  while (ordered.linked()) {
    auto& first = *ordered.next;
    first.unlink();
    first.insert_before(due);
  }
}

time_point timer_wheel::next_due() noexcept {
  settle_fresh();
  expiry next{};
  return next_expiry(next) ? origin_ + tick * static_cast<duration::rep>(next.tick) : never;
}

}  // namespace weft
