#pragma once
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace weft::detail {

/// What belongs to a number, for numbers that grow and are taken out in nearly the same order: open addressing with linear
/// probing, where a number's own place is its low bits, so that numbers in a row lie in a row. 0 is no number.
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
    const auto at = index_of(id);
    return at == nowhere ? nullptr : &places_[at].value;
  }

  /// False when it is not there.
  bool take(std::uint64_t id, T& out) noexcept {
    const auto at = index_of(id);
    if (at == nowhere) return false;
    out = std::move(places_[at].value);
    close_gap(at);
    --size_;
    return true;
  }

  /// Calls `f(id, value)` for each; nothing may change meanwhile.
  template <class F>
  void for_each(F f) {
    for (auto& p : places_) {
      if (p.id != 0) f(p.id, p.value);
    }
  }

 private:
  struct place {
    std::uint64_t id = 0;
    T value{};
  };
  static constexpr std::size_t nowhere = ~std::size_t{0};
  std::size_t mask() const noexcept { return places_.size() - 1; }

  std::size_t index_of(std::uint64_t id) const noexcept {
    if (size_ == 0 || id == 0) return nowhere;
    for (auto at = id & mask();; at = (at + 1) & mask()) {
      if (places_[at].id == id) return at;
      if (places_[at].id == 0) return nowhere;
    }
  }
  void put(std::uint64_t id, T value) noexcept {
    auto at = id & mask();
    while (places_[at].id != 0) at = (at + 1) & mask();
    places_[at] = {id, std::move(value)};
  }
  void grow() {
    constexpr std::size_t least = 16;
    auto old = std::exchange(places_, std::vector<place>(places_.empty() ? least : places_.size() * 2));
    for (auto& p : old) {
      if (p.id != 0) put(p.id, std::move(p.value));
    }
  }
  // What stands behind the gap and would have been put there or before moves up (Knuth, volume 3, algorithm 6.4 R).
  void close_gap(std::size_t gap) noexcept {
    for (auto at = (gap + 1) & mask(); places_[at].id != 0; at = (at + 1) & mask()) {
      const auto home = places_[at].id & mask();
      const auto distance = (at - home) & mask();
      if (distance < ((at - gap) & mask())) continue;
      places_[gap] = std::move(places_[at]);
      gap = at;
    }
    places_[gap] = {};
  }

  std::vector<place> places_;
  std::size_t size_ = 0;
};

}  // namespace weft::detail
