#pragma once
#include <atomic>
#include <cstdint>
#include <weft/runtime/work.hpp>

namespace weft {

/// What other threads hand to a worker: many producers, one consumer, intrusive, lock-free.
///
/// `head_` is the whole state. Its values:
///   empty     nothing queued, the worker is awake and will look again before it sleeps
///   sleeping  nothing queued, the worker sleeps or is about to: whoever pushes now has to wake it
///   closed    the worker is gone; pushes are refused
///   pointer   newest of a list of queued work, linked to older ones by `next`
///
/// No lost wake-up: (1) the worker sleeps only after its compare-exchange empty -> sleeping succeeded; (2) a push replaces
/// the head by one compare-exchange, so exactly one pusher sees `sleeping`, and it wakes the worker; (3) a push that comes
/// before (1) makes (1) fail. No ABA: the consumer takes the whole list by one exchange and never compares a pointer.
class inbox {
 public:
  enum class pushed { queued, must_wake, refused };

  /// From any thread. After it returned `queued` or `must_wake`, `w` belongs to the worker.
  pushed push(work& w) noexcept {
    auto* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == closed()) return pushed::refused;
      w.next = head == sleeping() ? nullptr : head;
      // release: the consumer sees what the producer wrote into the work. acquire is not needed to link.
    } while (!head_.compare_exchange_weak(head, &w, std::memory_order_release, std::memory_order_relaxed));
    return head == sleeping() ? pushed::must_wake : pushed::queued;
  }

  /// Consumer: everything queued, oldest first, as a list linked by `next`; null when there is nothing.
  work* take_all() noexcept {
    auto* head = head_.load(std::memory_order_relaxed);
    if (head == nullptr || head == closed()) return nullptr;
    head = head_.exchange(nullptr, std::memory_order_acquire);
    if (head == sleeping()) return nullptr;
    work* oldest = nullptr;
    while (head != nullptr) {
      auto* older = head->next;
      head->next = oldest;
      oldest = head;
      head = older;
    }
    return oldest;
  }

  /// Consumer: announces sleep. False when something is queued: take it instead.
  bool try_sleep() noexcept {
    work* expected = nullptr;
    // release: who sees it asleep sees that what it ran has ended.
    return head_.compare_exchange_strong(expected, sleeping(), std::memory_order_release, std::memory_order_relaxed);
  }

  /// Consumer: takes the announcement back, whether or not somebody has pushed since.
  void awake() noexcept {
    work* expected = sleeping();
    head_.compare_exchange_strong(expected, nullptr, std::memory_order_relaxed);
  }

  /// Any thread.
  bool asleep() const noexcept { return head_.load(std::memory_order_acquire) == sleeping(); }

  bool empty() const noexcept {
    auto* head = head_.load(std::memory_order_relaxed);
    return head == nullptr || head == sleeping() || head == closed();
  }

  /// Consumer: refuses all further pushes; returns what was still queued, oldest first.
  work* close() noexcept {
    auto* rest = take_all();
    work* expected = nullptr;
    while (!head_.compare_exchange_strong(expected, closed(), std::memory_order_acq_rel)) {
      auto* more = take_all();
      expected = nullptr;
      if (rest == nullptr) {
        rest = more;
      } else {
        auto* last = rest;
        while (last->next != nullptr) last = last->next;
        last->next = more;
      }
    }
    return rest;
  }

 private:
  static work* sleeping() noexcept { return reinterpret_cast<work*>(std::uintptr_t{1}); }
  static work* closed() noexcept { return reinterpret_cast<work*>(std::uintptr_t{2}); }

  std::atomic<work*> head_{nullptr};
};

}  // namespace weft
