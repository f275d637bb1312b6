#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <weft/runtime/status.hpp>

namespace weft {

class audience;

/// An event that was encoded once; all its receivers share the bytes.
using shared_bytes = std::shared_ptr<const std::string>;

/// Anything with a bounded outbox: a `link`, or an object of the program's own. `send` takes the event or says no at once,
/// as its own bound and its own policy for slow ones want it; it does not change the audience.
template <class R>
concept event_receiver = requires(R& r, shared_bytes event) {
  { r.send(std::move(event)) } -> std::same_as<status>;
};

struct audience_counters {
  std::uint64_t events = 0;  ///< Sent, to however many.
  std::uint64_t taken = 0;   ///< By receivers, one for each event and receiver ...
  std::uint64_t missed = 0;  ///< ... and what they said no to.
};

/// A place in an audience; destroying it gives it up. Outlives the audience if need be, but not the receiver.
class [[nodiscard("the receiver leaves when it is destroyed")]] membership {
 public:
  membership() noexcept = default;
  membership(membership&&) noexcept = default;
  membership& operator=(membership&& other) noexcept {
    auto moved = std::move(other);
    std::swap(member_, moved.member_);
    return *this;
  }
  ~membership() { leave(); }

  /// O(1). Idempotent.
  void leave() noexcept;
  /// Events that this receiver said no to. (What its outbox dropped later, by `drop_oldest`, the receiver counts itself.)
  std::uint64_t missed() const noexcept { return member_ ? member_->missed : 0; }

 private:
  friend audience;

  struct member {
    audience* in;  // null once the audience is gone
    std::size_t place;
    void* receiver;
    status (*send)(void*, const shared_bytes&);
    std::uint64_t missed = 0;
  };
  explicit membership(std::unique_ptr<member> m) noexcept : member_{std::move(m)} {}

  std::unique_ptr<member> member_;
};

/// Everybody who gets a room's events: one event, encoded once, for all of them.
///
///     weft::audience everybody;
///     auto seat = everybody.join(link);  // {.outbound_messages = 64, .slow = weft::slow_policy::drop_oldest}
///     everybody.send(line.SerializeAsString());
///
/// `send` is an ordinary function and never waits: a receiver that is too slow meets its own policy. With links:
/// `drop_oldest` loses the oldest that it has not taken, `refuse` the newest, `disconnect` the link. Every receiver gets what
/// it gets in the order in which it was sent. Memory: one copy of the bytes, as long as some outbox holds it, and one pointer
/// for each receiver's outbox, whose bound bounds it.
/// Belongs to one worker, that of its receivers; people on several workers need an audience on each.
class audience {
 public:
  audience() = default;
  ~audience();
  audience(const audience&) = delete;
  audience& operator=(const audience&) = delete;

  /// From the next event on. Not from within a receiver's `send`.
  template <event_receiver R>
  membership join(R& receiver) {
    return add(&receiver, [](void* r, const shared_bytes& event) { return static_cast<R*>(r)->send(event); });
  }

  /// Hands the event to everybody, in no particular order of people, `except` one if need be. Returns how many took it.
  std::size_t send(shared_bytes event, const membership* except = nullptr);
  std::size_t send(std::string event, const membership* except = nullptr) {
    return send(std::make_shared<const std::string>(std::move(event)), except);
  }

  std::size_t size() const noexcept { return members_.size(); }
  const audience_counters& counters() const noexcept { return counters_; }

 private:
  friend membership;
  using member = membership::member;

  membership add(void* receiver, status (*send)(void*, const shared_bytes&));
  void remove(const member& m) noexcept;

  std::vector<member*> members_;
  audience_counters counters_;
  bool sending_ = false;
};

}  // namespace weft
