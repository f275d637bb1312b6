#pragma once
#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>
#include <weft/rpc/session/key_hash.hpp>

namespace weft::detail {

/// What belongs to a number, for numbers that come in growing order, a few of which stay for long: a number's place is its
/// low bits. One whose place is taken by such an old number goes to a map beside. 0 is no number.
template <class T>
class id_table {
 public:
  std::size_t size() const noexcept { return size_; }

  /// Requires: `id` is not in it.
  void insert(std::uint64_t id, T value) {
    if (2 * (size_ + 1) > places_.size()) grow();
    put(id, std::move(value));
    ++size_;
  }

  /// Null when it is not there. Until the next change.
  T* find(std::uint64_t id) noexcept {
    if (size_ == 0 || id == 0) return nullptr;
    auto& own = places_[id & mask()];
    if (own.id == id) return &own.value;
    if (crowded_.empty()) return nullptr;
    const auto found = crowded_.find(id);
    return found == crowded_.end() ? nullptr : &found->second;
  }

  /// False when it is not there.
  bool take(std::uint64_t id, T& out) noexcept {
    auto* found = find(id);
    if (found == nullptr) return false;
    out = std::move(*found);
    auto& own = places_[id & mask()];
    if (own.id == id) {
      own.id = 0;
    } else {
      crowded_.erase(id);
    }
    --size_;
    return true;
  }

  /// Calls `f(id, value)` for each, in no order; nothing may change meanwhile.
  template <class F>
  void for_each(F f) {
    for (auto& p : places_) {
      if (p.id != 0) f(p.id, p.value);
    }
    for (auto& [id, value] : crowded_) f(id, value);
  }

 private:
  struct place {
    std::uint64_t id = 0;
    T value{};
  };
  std::size_t mask() const noexcept { return places_.size() - 1; }

  void put(std::uint64_t id, T value) {
    auto& own = places_[id & mask()];
    if (own.id == 0) {
      own = {id, std::move(value)};
    } else {
      crowded_.emplace(id, std::move(value));
    }
  }
  void grow() {
    constexpr std::size_t least = 16;
    auto old = std::exchange(places_, std::vector<place>(places_.empty() ? least : places_.size() * 2));
    for (auto& p : old) {
      if (p.id != 0) put(p.id, std::move(p.value));
    }
    for (auto& [id, value] : std::exchange(crowded_, {})) put(id, std::move(value));
  }

  std::vector<place> places_;
  std::unordered_map<std::uint64_t, T, key_hash> crowded_;
  std::size_t size_ = 0;
};

}  // namespace weft::detail
