#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>
#include <weft/rpc/session/frames.hpp>
#include <weft/rpc/session/id_table.hpp>
#include <weft/runtime/status.hpp>

namespace weft::detail {

class session_item;

/// A call that was sent and is not answered.
struct sent_call {
  session_item* item = nullptr;  // null: nobody waits for it any more
  std::size_t bytes = 0;
  std::uint64_t key = 0;
  bool gapless = false;  // it stops its key when it does not run
};

/// A caller's calls that are out: numbers them, keeps within the callee's window, and takes one answer to each.
class sent_calls {
 public:
  std::size_t size() const noexcept { return calls_.size(); }
  /// Of the next call.
  std::uint64_t next_id() const noexcept { return last_id_ + 1; }

  /// What the callee said that it takes.
  void said(const session_window& w) noexcept { window_ = w; }
  /// For one more call with so many bytes: the only one may have any.
  bool has_room(std::size_t bytes) const noexcept {
    if (calls_.size() >= window_.calls) return false;
    return calls_.size() == 0 || bytes_ + bytes <= window_.bytes;
  }

  /// Returns its id. Requires: has_room.
  std::uint64_t add(const sent_call& c) {
    calls_.insert(++last_id_, c);
    bytes_ += c.bytes;
    return last_id_;
  }
  /// Nobody waits for its answer any more. Requires: it is out.
  void forget(std::uint64_t id) noexcept { calls_.find(id)->item = nullptr; }

  /// The order of a key without gaps begins anew behind what is out: that stops it no more.
  void forget_gaps(std::uint64_t key) {
    calls_.for_each([key](std::uint64_t, sent_call& c) { c.gapless = c.gapless && c.key != key; });
  }

  /// It is out no more, and the taker's. INVALID_ARGUMENT when it is not out.
  status answered(std::uint64_t id, sent_call& c) {
    if (!calls_.take(id, c)) {
      return invalid_argument("session: an answer to call " + std::to_string(id) + ", which is not out");
    }
    bytes_ -= c.bytes;
    return {};
  }
  /// Calls `f(key)` for each call of a key that is out.
  template <class F>
  void for_each_key(F f) {
    calls_.for_each([&](std::uint64_t, const sent_call& c) {
      if (c.key != 0) f(c.key);
    });
  }
  /// Those that came after `last`, oldest first; they are out no more.
  std::vector<sent_call> take_beyond(std::uint64_t last) {
    std::vector<std::uint64_t> ids;
    calls_.for_each([&](std::uint64_t id, const sent_call&) {
      if (id > last) ids.push_back(id);
    });
    std::ranges::sort(ids);
    std::vector<sent_call> taken(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      calls_.take(ids[i], taken[i]);
      bytes_ -= taken[i].bytes;
    }
    return taken;
  }

 private:
  session_window window_ = first_window;
  std::uint64_t last_id_ = 0;
  id_table<sent_call> calls_;
  std::size_t bytes_ = 0;
};

}  // namespace weft::detail
