#pragma once
#include <cstddef>
#include <cstdint>

namespace weft::detail {

/// A hash of numbers that the other side chooses: it cannot know which of them share a bucket, since that differs from one
/// container to another. (The finaliser of MurmurHash3, seeded with where the container was made.)
class key_hash {
 public:
  key_hash() noexcept : seed_{mix(reinterpret_cast<std::uintptr_t>(this))} {}
  std::size_t operator()(std::uint64_t key) const noexcept { return mix(key ^ seed_); }

 private:
  static std::uint64_t mix(std::uint64_t k) noexcept {
    k = (k ^ k >> 33U) * 0xff51afd7ed558ccdU;
    k = (k ^ k >> 33U) * 0xc4ceb9fe1a85ec53U;
    return k ^ k >> 33U;
  }
  std::uint64_t seed_;
};

}  // namespace weft::detail
