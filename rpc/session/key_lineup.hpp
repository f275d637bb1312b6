#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <weft/rpc/session/key_hash.hpp>

namespace weft::detail {

/// Keeps the order of a key while middleware, which may wait, stands before the session, or behind it before the service:
/// calls line up when they reach it, and begin in that order. On the polling worker.
class key_lineup {
 public:
  class place {
   protected:
    ~place() = default;

   private:
    friend key_lineup;
    /// May end other places, and begin new ones.
    virtual void your_turn() noexcept = 0;

    bool ready_ = false;
  };

  void enter(std::uint64_t key, place& p) { lanes_[key].push_back(&p); }
  /// It may begin as soon as all before it have begun or left; perhaps beneath this. It is not in the line any more then.
  void ready(std::uint64_t key, place& p) noexcept {
    p.ready_ = true;
    move_on(key);
  }
  /// It does not begin.
  void leave(std::uint64_t key, place& p) noexcept {
    std::erase(lanes_.find(key)->second, &p);
    move_on(key);
  }

 private:
  // Looks the lane up each time: a turn may change everything.
  void move_on(std::uint64_t key) noexcept {
    for (auto lane = lanes_.find(key); lane != lanes_.end(); lane = lanes_.find(key)) {
      auto& line = lane->second;
      if (!line.empty() && !line.front()->ready_) return;
      auto* first = line.empty() ? nullptr : line.front();
      if (first != nullptr) line.pop_front();
      if (line.empty()) lanes_.erase(lane);
      if (first != nullptr) first->your_turn();
    }
  }

  std::unordered_map<std::uint64_t, std::deque<place*>, key_hash> lanes_;
};

}  // namespace weft::detail
