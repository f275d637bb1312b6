#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>
#include <weft/runtime/status.hpp>

namespace weft {

/// What travels beside the messages of a call: pairs of a key and a value, in order; a key may come several times. On the
/// wire it is gRPC's metadata: a key is made of lower-case letters, digits, '_', '-' and '.'; a value is printable ASCII, or
/// any bytes where the key ends in "-bin".
class metadata {
 public:
  struct entry {
    std::string key;
    std::string value;
    friend bool operator==(const entry&, const entry&) = default;
  };

  /// Takes upper-case letters as lower-case. What cannot be sent is told by `check`, and by the call that would carry it.
  metadata& add(std::string_view key, std::string value);

  /// The first value of a key; null when there is none.
  const std::string* find(std::string_view key) const noexcept;

  /// Ok, or INVALID_ARGUMENT naming the first key that is none, is reserved ("grpc-…"), or has a value it cannot have.
  status check() const;

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  auto begin() const noexcept { return entries_.begin(); }
  auto end() const noexcept { return entries_.end(); }

  friend bool operator==(const metadata&, const metadata&) = default;

 private:
  std::vector<entry> entries_;
};

}  // namespace weft
